// What reads and writes the messages of a topic, by what its definition says of the format. Packages are loaded here, and files of
// schemas found, which are relative to the project.
import { resolve } from 'node:path'
import { avroDecoder } from '../connectors/kafka/decode-avro.ts'
import { jsonKeys, keyDecoder, registeredKeys, textKeys } from '../connectors/kafka/decode-key.ts'
import { protobufDecoder } from '../connectors/kafka/decode-protobuf.ts'
import { withoutId } from '../connectors/kafka/decode-registered.ts'
import { type Decoder, jsonDecoder } from '../connectors/kafka/decoder.ts'
import { avroEncoder } from '../connectors/kafka/encode-avro.ts'
import { jsonEncoder } from '../connectors/kafka/encode-json.ts'
import { protobufEncoder } from '../connectors/kafka/encode-protobuf.ts'
import { type RegistrySettings, SchemaRegistry } from '../connectors/kafka/schema-registry.ts'
import { assert } from '../core/errors.ts'
import type { FormatManifest, KeyFormatManifest, SinkManifest } from '../define/manifest.ts'
import type { Field } from '../schema/type.ts'
import type { EncodeValue } from '../transform/sink/messages-of-page.ts'
import type { NodeOptions } from './node-options.ts'
import { resolveText } from './settings.ts'

type Surroundings = Pick<NodeOptions, 'directory' | 'variables'>

/** Of values. @throws MR_PACKAGE_MISSING, MR_KAFKA_SCHEMA, and what a missing variable is */
export async function decoderOf(
  { directory, variables }: Surroundings,
  format: FormatManifest,
  fields: readonly Field[],
): Promise<Decoder> {
  switch (format.kind) {
    case 'json':
      return format.registry ? withoutId(jsonDecoder) : jsonDecoder
    case 'avro':
      return avroDecoder({ ...(format.schema === undefined ? {} : { schema: format.schema }), ...registryOf(variables, format) }, fields)
    case 'protobuf': {
      const { proto, message } = format
      const what =
        proto === undefined ? { ...(message === undefined ? {} : { message }) } : { file: { path: resolve(directory, proto), message } }
      return protobufDecoder({ ...what, ...registryOf(variables, format) }, fields)
    }
  }
}

/** Of keys, by the format that is said of them or else by what values are. `columns`: of the key. */
export async function keyDecoderOf(
  around: Surroundings,
  { format, values }: { readonly format: KeyFormatManifest | undefined; readonly values: FormatManifest },
  columns: readonly Field[],
): Promise<Decoder> {
  if (format?.kind === 'text') return textKeys(columns)
  if (format) return keysIn(around, format, columns)
  const plain = jsonKeys(columns)
  const { kind, registry } = values
  return registry ? registeredKeys(await keysIn(around, { kind, registry } as FormatManifest, columns), plain) : plain
}

async function keysIn(around: Surroundings, format: FormatManifest, columns: readonly Field[]): Promise<Decoder> {
  if (format.kind !== 'json') return keyDecoder(await decoderOf(around, format, columns), columns)
  return format.registry ? withoutId(jsonKeys(columns)) : jsonKeys(columns)
}

/** @throws as `decoderOf` */
export async function encoderOf({ directory, variables }: Surroundings, { name, shape, to }: SinkManifest): Promise<EncodeValue> {
  const { format, topic } = to
  const { registry: client } = registryOf(variables, format)
  const registry = client && { client, subject: `${topic}-value` }
  switch (format.kind) {
    case 'json':
      return registry ? jsonEncoder(name, shape, registry) : (json) => json
    case 'avro':
      return avroEncoder({ name, shape, ...(registry ? { registry } : {}) })
    case 'protobuf':
      assert(format.proto !== undefined, `sink ${name} writes Protobuf without a file`)
      return protobufEncoder({
        file: { path: resolve(directory, format.proto), message: format.message },
        shape,
        ...(registry ? { registry } : {}),
      })
  }
}

function registryOf(variables: NodeOptions['variables'], { registry }: FormatManifest): { readonly registry?: SchemaRegistry } {
  if (!registry) return {}
  const settings = Object.fromEntries(Object.entries(registry).map(([name, value]) => [name, resolveText(variables, value)]))
  return { registry: new SchemaRegistry(settings as unknown as RegistrySettings) }
}
