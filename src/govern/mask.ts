// Masks as SQL: a masked column keeps its name and type, and equal values stay equal under `hash`, so that joins work. The
// key of the hash is in a table that no question can reach, never in the text of a view.
import type { MaskKind } from '../define/manifest.ts'
import type { Session } from '../engine/duckdb.ts'
import { quoteName } from '../engine/sql-text.ts'
import { toDuckType } from '../schema/duckdb.ts'
import type { Field } from '../schema/type.ts'

/** Where the pads of the keyed hash are: columns `ipad` and `opad`, 64 bytes each. */
export const KEY_TABLE = 'memory.govern.mask_key'

/** HMAC-SHA-256 (RFC 2104) of a text expression, hexadecimal. */
const hmac = (text: string): string =>
  `sha256((SELECT opad FROM ${KEY_TABLE}) || unhex(sha256((SELECT ipad FROM ${KEY_TABLE}) || encode(${text}))))`

/** The mask that a column gets: null where the one that is asked for does not fit its type. */
export function fittingMask({ type }: Field, mask: MaskKind): MaskKind {
  const isText = toDuckType(type) === 'VARCHAR' && type.kind !== 'json'
  switch (mask) {
    case 'none':
    case 'null':
      return mask
    case 'hash':
      return isText || type.kind === 'uuid' ? mask : 'null'
    case 'redact':
    case 'last4':
      return isText ? mask : 'null'
    case 'year':
      return type.kind === 'date' || type.kind === 'timestamp' || type.kind === 'datetime' ? mask : 'null'
  }
}

export function maskSql(field: Field, mask: MaskKind): string {
  const column = quoteName(field.name)
  const type = toDuckType(field.type)
  switch (fittingMask(field, mask)) {
    case 'none':
      return column
    case 'null':
      return `CAST(NULL AS ${type})`
    case 'hash':
      return type === 'UUID'
        ? `CASE WHEN ${column} IS NULL THEN NULL ELSE CAST(left(${hmac(`CAST(${column} AS VARCHAR)`)}, 32) AS UUID) END`
        : `CASE WHEN ${column} IS NULL THEN NULL ELSE left(${hmac(column)}, 32) END`
    case 'redact':
      return `CASE WHEN ${column} IS NULL THEN NULL ELSE '***' END`
    case 'last4':
      return `CASE WHEN ${column} IS NULL THEN NULL WHEN length(${column}) <= 4 THEN '***' ELSE '***' || right(${column}, 4) END`
    case 'year':
      return `CAST(date_trunc('year', ${column}) AS ${type})`
  }
}

/** Puts the key where `hash` reads it. */
export async function storeMaskKey(session: Session, key: Uint8Array): Promise<void> {
  const { ipad, opad } = padsOf(key)
  await session.run('CREATE SCHEMA IF NOT EXISTS memory.govern')
  await session.run(`CREATE OR REPLACE TABLE ${KEY_TABLE} (ipad BLOB, opad BLOB)`)
  await session.run(`INSERT INTO ${KEY_TABLE} VALUES (unhex('${ipad.toString('hex')}'), unhex('${opad.toString('hex')}'))`)
}

/** Inner and outer pads of a key of at most 64 bytes. */
export function padsOf(key: Uint8Array): { ipad: Buffer; opad: Buffer } {
  const block = Buffer.alloc(64)
  block.set(key.subarray(0, 64))
  return { ipad: Buffer.from(block.map((byte) => byte ^ 0x36)), opad: Buffer.from(block.map((byte) => byte ^ 0x5c)) }
}
