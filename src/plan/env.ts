// `millrace-env.d.ts`: row types of models and endpoints, and the tags of personal data, as a module augmentation. The
// same manifest gives the same text, so the file changes only when types do.
import type { EndpointManifest, Manifest } from '../define/manifest.ts'
import type { Field, Shape, Type } from '../schema/type.ts'
import { tagsOf } from './kinds/access.ts'

const HEAD = `// Written by millrace (check, dev, build): types of models and endpoints, found by binding their SQL. Keep it in version
// control, do not edit it.
`

/** The text of the file for a manifest. */
export function printEnv(manifest: Manifest): string {
  const models = manifest.relations.filter((relation) => relation.kind === 'model')
  const rows = [
    ...models.map(({ name, shape }) => printRow(name, shape)),
    ...manifest.endpoints.map((endpoint: EndpointManifest) => printRow(endpoint.name, endpoint.result)),
  ]
  const tags = [...tagsOf(manifest.relations).keys()].toSorted().map((tag) => `    ${propertyName(tag)}: true`)
  const used = ['Decimal', 'Instant'].filter((name) => rows.some((row) => new RegExp(`\\b${name}\\b`).test(row)))
  const top = used.length > 0 ? `import type { ${used.join(', ')} } from 'millrace'` : "import 'millrace'"
  return `${HEAD}${top}

declare module 'millrace' {
  interface MillraceRows {
${rows.join('\n')}
  }
  interface MillraceTags {
${tags.join('\n')}
  }
}
`.replaceAll('{\n\n', '{\n')
}

function printRow(name: string, shape: Shape): string {
  const columns = shape.fields.map((field) => `      ${propertyName(field.name)}: ${printFieldType(field)}`)
  return `    ${propertyName(name)}: {\n${columns.join('\n')}\n    }`
}

const propertyName = (name: string): string => (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? name : quote(name))

const quote = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\n', '\\n')}'`

const printFieldType = (field: Field): string => tsTypeOf(field.type) + (field.optional ? ' | null' : '')

/** The type of a value in TypeScript code. */
function tsTypeOf(type: Type): string {
  switch (type.kind) {
    case 'boolean':
      return 'boolean'
    case 'int':
    case 'float':
    case 'double':
      return 'number'
    case 'long':
      return 'bigint'
    case 'decimal':
      return 'Decimal'
    case 'timestamp':
      return 'Instant'
    case 'binary':
      return 'Uint8Array'
    case 'json':
      return 'unknown'
    case 'enum':
      return type.values.map(quote).join(' | ')
    case 'date':
    case 'time':
    case 'string':
    case 'uuid':
      return 'string'
  }
}
