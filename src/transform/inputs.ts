// What the parts of a refresh share: where it reads and writes, and a model's inputs as SQL.
import type { ModelManifest } from '../define/manifest.ts'
import type { Engine } from '../engine/duckdb.ts'
import { scanSql } from '../engine/scan.ts'
import type { Lease } from '../lake/lease.ts'
import type { Lake } from '../lake/open-lake.ts'
import type { LakeTable, TableChange } from '../lake/types.ts'

export interface RefreshParts {
  readonly engine: Engine
  readonly lake: Lake
  /** Holds what the SQL of a refresh reads, the candidate for the checks too. */
  readonly lease: Lease
}

export interface Input {
  readonly name: string
  readonly table: LakeTable | null
  readonly keyed: boolean
  /** SQL of a view model instead of a table. */
  readonly view?: string
}

/** SQL of every input as it is now, in an order in which views come after what they read. */
export async function scans({ lake, lease }: Omit<RefreshParts, 'engine'>, inputs: readonly Input[]): Promise<Record<string, string>> {
  const relations: Record<string, string> = {}
  for (const input of inputs)
    relations[input.name] =
      input.view ?? scanSql({ table: input.table, files: input.table ? await lease.local(await lake.files(input.table)) : [], tails: [] })
  return relations
}

/** What is recomputed as a whole: intervals, or the rows of a key. */
export const unitsOf = (model: ModelManifest): readonly string[] => (model.by ? [model.by] : model.key)

/** What a refresh has written. */
export interface Part {
  readonly change: TableChange
  /** SQL of the table as it will be, for the checks. */
  readonly candidate: string
  readonly rowsWritten: number
  /** What was recomputed, in words: 'full', '3 of 305 days'. */
  readonly note: string
}
