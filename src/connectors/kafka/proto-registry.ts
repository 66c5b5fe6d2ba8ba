// Files of Protobuf in a schema registry: those that messages were written by, with what they import, and those of a project, which are
// registered with theirs, each under the name that it is imported by.
import type { Root as ProtoRoot } from 'protobufjs'
import { MillraceError } from '../../core/errors.ts'
import { KEEP, type Protobuf, unusable } from './proto-message.ts'
import { bundled, type NamedSource, projectSources, readSource } from './proto-source.ts'
import type { RegisteredSchema, RegistryTarget, SchemaReference, SchemaRegistry } from './schema-registry.ts'
import { headOf, type MessagePath, pathBytes } from './wire-format.ts'

type References = Pick<SchemaRegistry, 'referenced'>

/** The types of a schema and of all that it imports. `what`: of errors. @throws MR_KAFKA_SCHEMA */
export async function registeredTypes(
  protobuf: Protobuf,
  registry: References,
  schema: RegisteredSchema,
  what: string,
): Promise<ProtoRoot> {
  const texts = new Map<string, string>()
  await gather(protobuf, registry, schema, { what, texts, known: [] })
  try {
    const root = new protobuf.Root()
    const files = [schema.text, ...texts.values()].map((text) => protobuf.parse(text, root, KEEP))
    for (const name of new Set(files.flatMap(({ imports = [], weakImports = [] }) => [...imports, ...weakImports])))
      root.addJSON(bundled(protobuf, name)?.nested ?? {})
    root.resolveAll()
    return root
  } catch (cause) {
    throw unusable(what, cause, 'read it by a file of the project: protobuf({ proto, message, registry })')
  }
}

interface Gathered {
  readonly what: string
  readonly texts: Map<string, string>
  /** References of schemas that import this one. */
  readonly known: readonly SchemaReference[]
}

/** An import that nothing refers to is left out: registries know some files by themselves, which mostly declare options. */
async function gather(
  protobuf: Protobuf,
  registry: References,
  { text, references }: RegisteredSchema,
  { what, texts, known }: Gathered,
): Promise<void> {
  const inner = [...references, ...known]
  for (const name of readSource(protobuf, text, what).imports) {
    const reference = inner.find((one) => one.name === name)
    if (!reference || texts.has(name)) continue
    const imported = await registry.referenced(reference, 'PROTOBUF')
    texts.set(name, imported.text)
    await gather(protobuf, registry, imported, { what: `${what}, which imports ${name},`, texts, known: inner })
  }
}

/** Where a message stands in the last of its sources, which is the one that is registered. @throws MR_KAFKA_SCHEMA */
export function registeredPath(sources: readonly NamedSource[], message: string): MessagePath {
  const { name, messages } = sources.at(-1)!
  const path = messages.get(message)
  if (path) return path
  throw new MillraceError('MR_KAFKA_SCHEMA', `the message ${message} is not in ${name} itself, which is what a registry gets`, {
    fix: 'name the file that has it',
  })
}

/** Registers the file of a message; what stands before each of its messages. `path`: absolute. @throws MR_KAFKA_SCHEMA */
export async function registerMessage({ client, subject }: RegistryTarget, path: string, message: string): Promise<Buffer> {
  const sources = await projectSources(path)
  const place = pathBytes(registeredPath(sources, message))
  const references = new Map<string, SchemaReference>()
  const schemaOf = ({ text, imports }: NamedSource): RegisteredSchema => ({
    type: 'PROTOBUF',
    text,
    references: imports.map((name) => references.get(name)!),
  })
  for (const source of sources.slice(0, -1)) references.set(source.name, await client.reference(source.name, schemaOf(source)))
  return Buffer.concat([headOf(await client.register(subject, schemaOf(sources.at(-1)!))), place])
}
