// How the key of a message says which row of a table it is about: a line of JSON with the key's columns, which the scanner of the
// key then judges. A key of one column may be that column's value alone; of several it is an object or a record of them.
import { isUtf8 } from 'node:buffer'
import { isValidJson } from '../../schema/scan/document.ts'
import type { Field } from '../../schema/type.ts'
import { type Decoder, isObject, jsonDecoder, Undecodable } from './decoder.ts'
import { schemaIdOf } from './wire-format.ts'

type Columns = readonly Field[]

/** Keys of a format, from its decoder of values. */
export const keyDecoder = (values: Decoder, columns: Columns): Decoder => ({
  ...values,
  line(key) {
    const line = String(values.line(key))
    return line.startsWith('{') ? line : member(columns, line)
  },
})

/** Keys that are the text of the only column, whatever it looks like. */
export const textKeys = (columns: Columns): Decoder => ({
  line: (key) => member(columns, spelled(columns, key)),
})

/** Keys as most producers write them: objects of JSON; of one column also its value as JSON, or as plain text. */
export const jsonKeys = (columns: Columns): Decoder => ({
  line(key) {
    if (isObject(key)) return jsonDecoder.line(key)
    return member(columns, key[0] === QUOTE && isValidJson(key) ? Buffer.from(key).toString() : spelled(columns, key))
  },
})

/** Keys that begin with the id of a registry's schema are read by it, others in the other way. */
export const registeredKeys = (registered: Decoder, others: Decoder): Decoder => ({
  ...registered,
  line: (key) => (schemaIdOf(key) === null ? others : registered).line(key),
})

const QUOTE = 0x22

function member(columns: Columns, value: string): string {
  if (columns.length === 1) return `{${JSON.stringify(columns[0]!.name)}:${value}}`
  throw new Undecodable(`it is one value, and the table's key is ${columns.map(({ name }) => name).join(', ')}: write an object of them`)
}

/** A text as JSON of the column. */
function spelled([column]: Columns, key: Uint8Array): string {
  if (!isUtf8(key)) throw new Undecodable('it is not valid UTF-8', 'MR_ROW_UTF8')
  const text = Buffer.from(key).toString()
  const isBare = column?.type.kind === 'boolean' || column?.type.kind === 'int'
  return isBare && /^(true|false|-?\d+)$/.test(text) ? text : JSON.stringify(text)
}
