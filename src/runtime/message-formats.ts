// What reads and writes the messages of a topic, by what its definition says of the format. Packages are loaded here, and files of
// schemas found, which are relative to the project.
import { resolve } from 'node:path'
import { avroDecoder } from '../connectors/kafka/decode-avro.ts'
import { jsonKeys, keyDecoder, registeredKeys, textKeys } from '../connectors/kafka/decode-key.ts'
import { protobufDecoder } from '../connectors/kafka/decode-protobuf.ts'
import { type Decoder, jsonDecoder } from '../connectors/kafka/decoder.ts'
import { avroEncoder } from '../connectors/kafka/encode-avro.ts'
import { protobufEncoder } from '../connectors/kafka/encode-protobuf.ts'
import { type RegistrySettings, SchemaRegistry } from '../connectors/kafka/schema-registry.ts'
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
      return jsonDecoder
    case 'avro':
      return avroDecoder({ ...(format.schema === undefined ? {} : { schema: format.schema }), ...registryOf(variables, format) }, fields)
    case 'protobuf':
      return protobufDecoder(resolve(directory, format.proto), format.message, fields)
  }
}

/** Of keys, by the format that is said of them or else by what values are. `columns`: of the key. */
export async function keyDecoderOf(
  around: Surroundings,
  { format, values }: { readonly format: KeyFormatManifest | undefined; readonly values: FormatManifest },
  columns: readonly Field[],
): Promise<Decoder> {
  if (format?.kind === 'text') return textKeys(columns)
  if (format && format.kind !== 'json') return keyDecoder(await decoderOf(around, format, columns), columns)
  const plain = jsonKeys(columns)
  if (format || values.kind !== 'avro' || !values.registry) return plain
  const registered = await decoderOf(around, { kind: 'avro', registry: values.registry }, columns)
  return registeredKeys(keyDecoder(registered, columns), plain)
}

/** @throws as `decoderOf` */
export async function encoderOf({ directory, variables }: Surroundings, { name, shape, to }: SinkManifest): Promise<EncodeValue> {
  const { format, topic } = to
  switch (format.kind) {
    case 'json':
      return (json) => json
    case 'avro': {
      const { registry } = registryOf(variables, format)
      return avroEncoder({ name, shape, ...(registry ? { registry: { client: registry, subject: `${topic}-value` } } : {}) })
    }
    case 'protobuf':
      return protobufEncoder(resolve(directory, format.proto), format.message, shape)
  }
}

function registryOf(
  variables: NodeOptions['variables'],
  { registry }: Extract<FormatManifest, { kind: 'avro' }>,
): { readonly registry?: SchemaRegistry } {
  if (!registry) return {}
  const settings = Object.fromEntries(Object.entries(registry).map(([name, value]) => [name, resolveText(variables, value)]))
  return { registry: new SchemaRegistry(settings as unknown as RegistrySettings) }
}
