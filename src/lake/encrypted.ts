// Encrypted tables: everything below their location is sealed. The metadata, lists, manifests and deletion vectors as files of
// `objects/seal/`, the Parquet files by Parquet's own modular encryption, which the engine writes and reads (`engine/parquet-keys.ts`).
// A property of the table says so, and whose data keys it has. Names only; nothing is read here.
import type { FileSeal } from './types.ts'

/** Property of an encrypted table: the scope of its data keys. Given when the table is made, and never changed. */
export const ENCRYPTED = 'millrace.encrypted'

/** Null for a table that is not encrypted. */
export const scopeOf = ({ properties }: { readonly properties: Readonly<Record<string, string>> }): string | null =>
  properties[ENCRYPTED] ?? null

/** As Iceberg's `key_metadata` of a data file has it, whose content is the writer's own. */
export const sealBytes = (seal: FileSeal): Buffer => Buffer.from(JSON.stringify({ millrace: 1, ...seal }))

/** Undefined for what another writer put there. */
export function readSeal(bytes: Uint8Array | null | undefined): FileSeal | undefined {
  if (!bytes) return undefined
  const text = Buffer.from(bytes).toString()
  if (!text.startsWith('{"millrace":1,')) return undefined
  const { key, salt, digest, names } = JSON.parse(text) as FileSeal
  return { key, salt, digest, ...(names ? { names } : {}) }
}
