// A row of a sink, from the JSON of answers: what encoders of messages take.
import { parseJsonVerbatim, printJson } from '../../core/json.ts'
import type { Shape } from '../../schema/type.ts'

export type Row = Readonly<Record<string, unknown>>

/** Numbers keep their digits, see `textOf`; a value of JSON is its text, in a column as inside of others. */
export function readRow(json: Uint8Array, { fields }: Shape): Row {
  const row = parseJsonVerbatim(Buffer.from(json.buffer, json.byteOffset, json.byteLength).toString()) as Row
  const isText = ({ name, type }: Shape['fields'][number]): boolean => type.kind === 'json' && row[name] !== null
  return { ...row, ...Object.fromEntries(fields.filter(isText).map(({ name }) => [name, printJson(row[name])])) }
}
