// Rows of a step as messages: the key is a JSON object of the key's columns, the value one of the others or none. Pure.
import type { SinkManifest } from '../../define/manifest.ts'
import type { Page } from '../../engine/duckdb.ts'
import { jsonObjects, type NamedColumn } from '../../engine/encode/json-objects.ts'
import type { OutMessage } from '../../log/kafka/topic-writer.ts'

/** A value as the topic's format has it, from its JSON. */
export type EncodeValue = (json: Uint8Array) => Uint8Array

/** `page`: of a SELECT by `stepSql`. */
export function messagesOfPage(page: Page, { shape, key }: Pick<SinkManifest, 'shape' | 'key'>, encode: EncodeValue): OutMessage[] {
  const value = shape.fields.map(({ name, type }, at): NamedColumn => ({ name, index: at + 1, isJson: type.kind === 'json' }))
  const keyed = key.map((name, at): NamedColumn => ({ name, index: at + 1 + value.length }))
  const gone = page.chunk.getColumnVector(0)
  const values = jsonObjects(page, value)
  const keys = keyed.length > 0 ? jsonObjects(page, keyed) : null
  return values.map((json, row) => ({ key: keys?.[row] ?? null, value: gone.getItem(row) === true ? null : encode(json) }))
}
