// What one chore of maintenance is: looked at for each table in each pass, done where it is worth it. A chore commits by the
// lake alone, so that a crash leaves the old state or the new one; losing a race is no error, the next pass looks again.
import type { Clock } from '../../core/clock.ts'
import { asMillraceError } from '../../core/errors.ts'
import type { Engine } from '../../engine/duckdb.ts'
import { twinsOf } from '../../lake/nested-type.ts'
import type { Lake } from '../../lake/open-lake.ts'
import type { DataFile, LakeTable } from '../../lake/types.ts'
import { isWritableType } from '../../lake/value/iceberg-type.ts'
import type { Saved } from '../history.ts'
import type { Keeping } from '../keeping.ts'

export interface ChoreParts {
  readonly clock: Clock
  readonly lake: Lake
  readonly engine: Engine
}

export interface ChoreTask {
  readonly table: LakeTable
  /** Null when its rows are kept for ever. */
  readonly keeping: Keeping | null
  /** Somebody asked for it now: less has to be gained than by itself. */
  readonly isAsked: boolean
}

export interface ChoreDone {
  readonly note: string
  readonly saved: Saved
  /** Rows that are not in the table any more. */
  readonly removedRows?: number
}

export interface Chore {
  /** What a run calls it: `orders.compact`. */
  readonly name: string
  /** Null when there was nothing to do. */
  run(parts: ChoreParts, task: ChoreTask): Promise<ChoreDone | null>
}

/** Tables of other engines are theirs to rewrite when Millrace does not write their version, types or names. */
export const mayRewrite = ({ formatVersion, schema }: LakeTable): boolean =>
  formatVersion >= 2 && schema.fields.every((field) => isWritableType(field.type)) && !twinsOf(schema.fields)

export const bytesOf = (files: readonly Pick<DataFile, 'sizeBytes'>[]): number => files.reduce((sum, file) => sum + file.sizeBytes, 0)

/** Whether the commit was made; false when another writer was faster. */
export async function unlessLost(commit: Promise<unknown>): Promise<boolean> {
  try {
    await commit
    return true
  } catch (cause) {
    if (asMillraceError(cause).code !== 'MR_LAKE_CONFLICT') throw cause
    return false
  }
}
