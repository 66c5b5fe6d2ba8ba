// `millrace-env.d.ts`: row types of models and endpoints, and the tags of personal data, as a module augmentation. The
// same manifest gives the same text, so the file changes only when types do.
import type { EndpointManifest, Manifest } from '../define/manifest.ts'
import type { Shape } from '../schema/type.ts'
import { propertyName, shapeToTypeScript } from '../schema/typescript.ts'
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

const printRow = (name: string, shape: Shape): string => `    ${propertyName(name)}: ${shapeToTypeScript(shape, '    ')}`
