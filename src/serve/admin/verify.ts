// `POST /admin/verify`: is the audit trail unbroken, is storage whole, and can every relation be read to its end?
import { asMillraceError } from '../../core/errors.ts'
import { quoteRelation } from '../../engine/sql-text.ts'
import type { StorageReport } from '../../orchestrate/verify-storage.ts'
import type { Caller } from '../answer.ts'
import type { AdminParts } from './parts.ts'
import { visibleRelations } from './relations.ts'

export interface Verified {
  /** The first record that does not fit; null when the whole trail does. */
  readonly audit: { readonly sequence: number; readonly reason: string } | null
  readonly relations: readonly { readonly name: string; readonly rows: number | null; readonly error: string | null }[]
  readonly storage: StorageReport
}

export async function verifyAll(parts: AdminParts, caller: Caller): Promise<Verified> {
  const relations: Verified['relations'][number][] = []
  for (const { name } of visibleRelations(parts, caller)) {
    try {
      // Every column of every row: a checksum reads them all.
      const { rows } = await parts.answerer.ask(caller, {
        sql: `SELECT count(*), bit_xor(hash(r)) FROM ${quoteRelation(name)} AS r`,
        surface: 'verify',
      })
      relations.push({ name, rows: Number(rows[0]![0]), error: null })
    } catch (cause) {
      relations.push({ name, rows: null, error: asMillraceError(cause).message })
    }
  }
  return { audit: await parts.verifyAudit(), relations, storage: await parts.storage.verify() }
}
