// A default of a definition as Iceberg's JSON has it (spec, appendix D, "JSON single-value serialization").
import type { Type } from '../../schema/type.ts'
import type { DefaultValue } from '../types.ts'

/** `text` is that of `schema/default-value.ts`. */
export function icebergDefault(type: Type, text: string): DefaultValue {
  switch (type.kind) {
    case 'boolean':
      return text === 'true'
    case 'int':
    case 'float':
    case 'double':
      return Number(text)
    case 'long':
      return Number.isSafeInteger(Number(text)) ? Number(text) : BigInt(text)
    case 'time':
      return text.includes('.') ? text : `${text}.000000`
    case 'timestamp':
      return text.replace(/Z$/, '+00:00')
    case 'binary':
      return Buffer.from(text, 'base64').toString('hex')
    default:
      return text
  }
}
