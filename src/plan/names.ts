// Names of definitions and columns: what is allowed, what SQL reserves, and that each is used once.
import type { Definition } from '../define/definition.ts'
import type { Shape } from '../schema/type.ts'
import { fail, placeIn, type Scope, warn } from './scope.ts'

const RELATION = /^([a-z][a-z0-9_]*\.)?[a-z][a-z0-9_]*$/
const PLAIN = /^[a-z][a-z0-9_]*$/
const COLUMN = /^[A-Za-z][A-Za-z0-9_]*$/
const SYSTEM_COLUMNS = new Set(['_partition', '_offset', '_ingested_at', '_watermark'])
/** Schemas that Millrace or SQL own. */
const RESERVED_NAMESPACES = ['millrace', 'information_schema', 'pg_catalog', 'temp', 'system']

const isRelation = (kind: string): boolean => kind === 'stream' || kind === 'table' || kind === 'model'

/** Whether a relation can have this name; one that cannot is reported by `checkNames` and left out of what is bound. */
export const isRelationName = (name: string): boolean =>
  RELATION.test(name) &&
  !name.includes('__') &&
  !['main', 'public', ...RESERVED_NAMESPACES].some((namespace) => name.startsWith(`${namespace}.`))

/** Reports names that cannot be, and names used twice. */
export function checkNames(scope: Scope): void {
  const first = new Map<string, Definition>()
  for (const { definition } of scope.project.$members) {
    const { $kind: kind, $name: name, $at: at } = definition
    if (isRelation(kind)) checkRelationName(scope, definition)
    else if (kind !== 'endpoint' && !PLAIN.test(name))
      fail(scope, 'MR_DEFINE_NAME', at, `${kind} "${name}": the name is not snake_case`, `call it ${snakeCase(name)}`)
    const key = `${isRelation(kind) ? 'relation' : kind} ${name}`
    const other = first.get(key)
    if (other)
      fail(
        scope,
        'MR_DEFINE_DUPLICATE',
        at,
        `${kind} "${name}" has the name of the ${other.$kind} at ${placeIn(scope.root, other.$at)}`,
        'give one of them another name',
      )
    else first.set(key, definition)
  }
}

function checkRelationName(scope: Scope, { $kind: kind, $name: name, $at: at }: Definition): void {
  const report = (message: string, fix: string): void => fail(scope, 'MR_DEFINE_NAME', at, `${kind} "${name}": ${message}`, fix)
  const namespace = name.includes('.') ? name.slice(0, name.indexOf('.')) : ''
  if (!RELATION.test(name)) report('the name is not [namespace.]snake_case', `call it ${snakeCase(name)}`)
  else if (namespace === 'main' || namespace === 'public')
    report(`"${namespace}" is not written`, `call it "${name.slice(namespace.length + 1)}"`)
  else if (RESERVED_NAMESPACES.includes(namespace)) report(`the namespace "${namespace}" is reserved`, 'choose another namespace')
  else if (name.includes('__')) report('two underscores in a row are kept for names such as orders__rejected', 'use one underscore')
}

const snakeCase = (name: string): string => {
  const text = name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replaceAll(/[^a-z0-9.]+/g, '_')
    .replaceAll(/(?<=\..*)\./g, '_')
    .replaceAll(/^[_0-9.]+|[_.]+$/g, '')
  return text === '' ? 'it by a word of lower-case letters' : `"${text}"`
}

/** Reports column names that cannot be, that occur twice, or that SQL reserves. */
export async function checkColumnNames(scope: Scope, what: string, shape: Shape, at: string, fromSql: boolean): Promise<void> {
  const reserved = await scope.binder.reservedNames()
  const seen = new Map<string, string>()
  for (const { name } of shape.fields) {
    const other = seen.get(name.toLowerCase())
    if (other !== undefined)
      fail(
        scope,
        'MR_DEFINE_DUPLICATE',
        at,
        `${what} has two columns "${name}"${other === name ? '' : ` ("${other}"; SQL knows no case)`}`,
        fromSql ? 'give one of them another name with AS' : 'rename one of them',
      )
    seen.set(name.toLowerCase(), name)
    if (fromSql && SYSTEM_COLUMNS.has(name)) continue
    if (!COLUMN.test(name))
      fail(
        scope,
        'MR_DEFINE_NAME',
        at,
        `${what}: "${name}" is not a column name`,
        name.startsWith('_')
          ? `names with a leading underscore are kept for Millrace${fromSql ? ': name it otherwise with AS' : ''}`
          : fromSql
            ? 'name the expression with AS'
            : 'use letters, digits and underscores',
      )
    else if (reserved.has(name.toLowerCase()))
      warn(
        scope,
        'MR_PLAN_RESERVED',
        at,
        `${what}: the column "${name}" is a reserved word; in SQL it must always be quoted`,
        `rename it, or write "${name}" with quotes`,
      )
  }
}
