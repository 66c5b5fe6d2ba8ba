// Rows as messages of JSON with a registry's head: as answers spell them, behind the id of a schema that follows from the columns. Source:
// JSON Schema, draft 7, which every registry knows and whose words these are.
import { type JsonSchema, shapeToJsonSchema } from '../../schema/json-schema.ts'
import type { Shape } from '../../schema/type.ts'
import type { RegistryTarget } from './schema-registry.ts'
import { headOf } from './wire-format.ts'

/** `name`: title of the schema. @throws MR_KAFKA_SCHEMA */
export async function jsonEncoder(
  name: string,
  shape: Shape,
  { client, subject }: RegistryTarget,
): Promise<(json: Uint8Array) => Uint8Array> {
  const head = headOf(await client.register(subject, { type: 'JSON', text: JSON.stringify(messageSchema(name, shape)), references: [] }))
  return (json) => Buffer.concat([head, json])
}

export const messageSchema = (name: string, shape: Shape): JsonSchema => ({
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: name,
  ...shapeToJsonSchema(shape),
})
