// Formats of messages: whether what is said of one is enough to read them, or to write them.
import type { MessageFormat, Registry } from '../../define/kafka.ts'
import type { FormatManifest, RegistryManifest, Text } from '../../define/manifest.ts'
import { fail, type Scope } from '../scope.ts'
import { didYouMean } from '../suggest.ts'

const OPTIONS = { json: ['registry'], avro: ['schema', 'registry'], protobuf: ['proto', 'message', 'registry'] }
const PLAIN: FormatManifest = { kind: 'json' }

type Tell = (message: string, fix: string) => void
type Of<Kind> = Extract<MessageFormat, { $format: Kind }>

/** `isSink`: messages are written. */
export function formatOf(scope: Scope, what: string, format: MessageFormat, at: string, isSink: boolean): FormatManifest {
  if (format === 'json') return PLAIN
  const tell: Tell = (message, fix) => fail(scope, 'MR_DEFINE_VALUE', at, `${what}: ${message}`, fix)
  const kind = typeof format === 'object' ? format?.$format : undefined
  if (kind === undefined || !Object.hasOwn(OPTIONS, kind)) {
    tell(`messages of format ${JSON.stringify(format)} cannot be read`, "write 'json', json({ ... }), avro({ ... }) or protobuf({ ... })")
    return PLAIN
  }
  for (const option of Object.keys(format).filter((one) => one !== '$format' && !OPTIONS[kind].includes(one)))
    tell(`the format ${kind} has no option "${option}"`, didYouMean(option, OPTIONS[kind], 'remove it'))
  const registry = format.registry === undefined ? undefined : registryOf(tell, format.registry)
  switch (format.$format) {
    case 'json':
      if (!registry) tell('json() is about messages of a registry', "write json({ registry }), or 'json' without one")
      return { kind: 'json', ...(registry ? { registry } : {}) }
    case 'avro':
      return { kind: 'avro', ...schemaOf(tell, format, isSink), ...(registry ? { registry } : {}) }
    case 'protobuf':
      return protobufOf(tell, format, registry, isSink)
  }
}

function schemaOf(tell: Tell, { schema, registry }: Of<'avro'>, isSink: boolean): { readonly schema?: string } {
  if (isSink && schema !== undefined) tell('the Avro schema of what is written follows from the columns', 'remove schema')
  if (!isSink && schema === undefined && registry === undefined)
    tell('Avro messages without a schema cannot be read', 'write avro({ schema }) or avro({ registry })')
  const text = typeof schema === 'object' ? JSON.stringify(schema) : schema
  if (text !== undefined && !isJson(text)) tell('the Avro schema is not JSON', 'give the schema as an object, or its JSON')
  return text === undefined ? {} : { schema: text }
}

function protobufOf(
  tell: Tell,
  { proto, message }: Of<'protobuf'>,
  registry: RegistryManifest | undefined,
  isSink: boolean,
): FormatManifest {
  if (typeof proto === 'string' && typeof message === 'string')
    return { kind: 'protobuf', proto, message, ...(registry ? { registry } : {}) }
  if (proto === undefined && (message === undefined || typeof message === 'string') && registry && !isSink)
    return { kind: 'protobuf', ...(message === undefined ? {} : { message }), registry }
  const orRegistry = isSink ? '' : ', or protobuf({ registry })'
  tell('Protobuf needs a file and a message', `write protobuf({ proto: 'click.proto', message: 'shop.Click' })${orRegistry}`)
  return PLAIN
}

function registryOf(tell: Tell, registry: Registry): RegistryManifest {
  const how: RegistryManifest = isText(registry) ? { url: registry } : { ...registry }
  if (!isText(how.url)) tell('a registry has no address', "write registry: config('REGISTRY'), or registry: { url, username, password }")
  if (typeof how.password === 'string') tell("a registry has its password in the project's files", "write secret('NAME')")
  return how
}

export const isText = (value: unknown): value is Text =>
  typeof value === 'string' || typeof (value as { name?: unknown } | undefined)?.name === 'string'

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
