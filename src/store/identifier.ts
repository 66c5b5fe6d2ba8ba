// Names of tables, views and namespaces: the levels of an Iceberg identifier as one text, joined by dots. What lies in the
// namespace `main` has no prefix, so that every table of a project is called in the catalog as in the project. A dot inside
// a level is escaped. Pure text; whether something of that name exists, the catalog says.

export interface Identifier {
  readonly namespace: readonly string[]
  readonly name: string
}

/** The namespace of everything whose name has no prefix; it always exists. */
export const MAIN = 'main'

const escaped = (level: string): string => level.replaceAll('%', '%25').replaceAll('.', '%2E')
const plain = (level: string): string => level.replaceAll('%2E', '.').replaceAll('%25', '%')

/** The catalog's name of a table or view. */
export function nameOf({ namespace, name }: Identifier): string {
  const isMain = namespace.length === 1 && namespace[0] === MAIN
  return isMain ? escaped(name) : [...namespace, name].map(escaped).join('.')
}

export function identifierOf(name: string): Identifier {
  const levels = name.split('.').map(plain)
  return { namespace: levels.length === 1 ? [MAIN] : levels.slice(0, -1), name: levels.at(-1)! }
}

/** The catalog's name of a table that somebody calls by its namespace too, as other engines do: `main.orders` is `orders`. */
export const shortName = (name: string): string => {
  const [namespace, ...rest] = name.split('.')
  return namespace === MAIN && rest.length === 1 ? rest[0]! : name
}

/** The catalog's name of a namespace. */
export const namespaceName = (levels: readonly string[]): string => levels.map(escaped).join('.')

export const levelsOf = (namespace: string): string[] => namespace.split('.').map(plain)

/** The name of the namespace that a table or view lies in. */
export const namespaceOf = (name: string): string => (name.includes('.') ? name.slice(0, name.lastIndexOf('.')) : MAIN)

/** A namespace and those around it, the outermost first. */
export const namespacesUpTo = (namespace: string): string[] =>
  namespace.split('.').map((_, index, levels) => levels.slice(0, index + 1).join('.'))
