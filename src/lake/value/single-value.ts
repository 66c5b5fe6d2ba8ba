// One value in binary: bounds in manifests and partition summaries (Iceberg spec, appendix D, "Binary single-value
// serialization"). In memory: boolean; int, date, float, double as number; long, time, timestamp and decimal (unscaled) as
// bigint, in nanoseconds where the type has those; string; uuid as its 36 characters; binary and fixed as hexadecimal digits.
import type { PartitionValue } from '../types.ts'
import { decimalBytes, decimalFromBytes } from './decimal.ts'
import { parseIcebergType } from './iceberg-type.ts'

type Value = Exclude<PartitionValue, null>

/** Bytes of a value of the type `typeText`. */
export function encodeValue(typeText: string, value: Value): Uint8Array {
  const type = parseIcebergType(typeText)
  switch (type.kind) {
    case 'boolean':
      return Uint8Array.of(value === true ? 1 : 0)
    case 'int':
    case 'date':
      return filled(4, (view) => view.setInt32(0, Number(value), true))
    case 'float':
      return filled(4, (view) => view.setFloat32(0, Number(value), true))
    case 'double':
      return filled(8, (view) => view.setFloat64(0, Number(value), true))
    case 'long':
    case 'time':
    case 'timestamp':
    case 'timestamptz':
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return filled(8, (view) => view.setBigInt64(0, BigInt(value), true))
    case 'decimal':
      return decimalBytes(BigInt(value))
    case 'string':
      return Buffer.from(String(value))
    case 'uuid':
      return Buffer.from(String(value).replaceAll('-', ''), 'hex')
    case 'binary':
    case 'fixed':
      return Buffer.from(String(value), 'hex')
  }
}

function filled(size: number, fill: (view: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(size)
  fill(new DataView(bytes.buffer))
  return bytes
}

const DAY_MICROS = 86_400_000_000n

/** The value of `bytes`; a bound written before int became long, float double or date timestamp (version 3) keeps its 4 bytes and is widened. */
export function decodeValue(typeText: string, bytes: Uint8Array): Value {
  const type = parseIcebergType(typeText)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  switch (type.kind) {
    case 'boolean':
      return bytes[0] !== 0
    case 'int':
    case 'date':
      return view.getInt32(0, true)
    case 'float':
      return view.getFloat32(0, true)
    case 'double':
      return bytes.length === 4 ? view.getFloat32(0, true) : view.getFloat64(0, true)
    case 'timestamp':
      return bytes.length === 4 ? BigInt(view.getInt32(0, true)) * DAY_MICROS : view.getBigInt64(0, true)
    case 'timestamp_ns':
      return bytes.length === 4 ? BigInt(view.getInt32(0, true)) * DAY_MICROS * 1_000n : view.getBigInt64(0, true)
    case 'long':
    case 'time':
    case 'timestamptz':
    case 'timestamptz_ns':
      return bytes.length === 4 ? BigInt(view.getInt32(0, true)) : view.getBigInt64(0, true)
    case 'decimal':
      return decimalFromBytes(bytes)
    case 'string':
      return Buffer.from(bytes).toString()
    case 'uuid':
      return uuidText(bytes)
    case 'binary':
    case 'fixed':
      return Buffer.from(bytes).toString('hex')
  }
}

export function uuidText(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
