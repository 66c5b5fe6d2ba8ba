// One stored relation as it stands: the committed table and the generations of its tail, swapped in one assignment. What its pipeline
// appends, shows and flushes goes through here; who reads it is `relations.ts`. PROTOCOL rule 16.
import { MillraceError } from '../core/errors.ts'
import { numberOfMetadata } from '../lake/location.ts'
import type { Lake } from '../lake/open-lake.ts'
import { rowsLeft } from '../lake/snapshot-summary.ts'
import type { LakeTable, TableChange } from '../lake/types.ts'
import type { ColumnBatch } from '../schema/batch.ts'
import type { Shape } from '../schema/type.ts'
import type { Engine } from './duckdb.ts'
import { type FlushParts, flushAppend, flushKeyed, flushReplacing } from './flush.ts'
import { type Generation, type Held, HotTail } from './tail.ts'

export interface RelationSpec {
  readonly name: string
  readonly shape: Shape
  /** Latest row of a key wins; empty = rows are only added. */
  readonly key: readonly string[]
  /** Of a tailed relation without a key: the latest row is all that there is. */
  readonly isOneRow?: boolean
  /** Whether rows arrive through a tail (streams, logged tables, live models), not only by commits. */
  readonly tailed: boolean
  /** Of a tailed relation with a key or one row: rows can go by it, and what is appended has the column `GONE` last. */
  readonly canLose?: boolean
}

export interface RelationFlush {
  changes(): Promise<readonly TableChange[]>
  publish(tables: readonly LakeTable[]): Promise<void>
}

/** A relation that one pipeline writes. */
export interface WritableRelation {
  readonly pendingRows: number
  readonly pendingBytes: number
  /** Rows are visible to every later pin when this resolves. */
  append(batch: ColumnBatch): Promise<void>
  /** Replaces the rows that are shown but not final yet; they never reach the table. */
  replaceProvisional(batch: ColumnBatch): Promise<void>
  /** Freezes what came so far; what comes later belongs to the next flush. */
  cut(): Promise<RelationFlush>
  /**
   * Forgets everything that is not committed, and reads the committed state again. `anew`: what is committed is shown until the
   * next flush is published, which replaces all of it; what comes before is out of sight, unless there is nothing to replace.
   */
  reset(options?: { readonly anew: boolean }): Promise<void>
  readonly isHidden: boolean
}

/** How many rows there are. */
export interface RowCount {
  /** As a reader sees them now, but for `changes`; null where another writer did not count what it committed. */
  readonly rows: number | null
  /** Rows by key in the tail that `rows` does not have: each replaces, adds or takes away one. 0 where `rows` is all. */
  readonly changes: number
}

/** What readers see: replaced as a whole, never changed. */
export interface Visible {
  readonly table: LakeTable | null
  readonly tails: readonly Generation[]
  readonly provisional: Generation | null
}

export class ManagedRelation implements WritableRelation {
  readonly spec: RelationSpec
  readonly #engine: Engine
  readonly #lake: Lake
  #tail: HotTail | null = null
  #visible: Visible = { table: null, tails: [], provisional: null }
  /** Snapshots that brought nothing but rows of the tail, which readers had seen before. */
  readonly #flushes = new Set<bigint>()
  /** What comes in replaces what is shown, at the next commit. */
  #isHidden = false
  #counted: { readonly version: string; readonly rows: Promise<number> } | null = null

  constructor(spec: RelationSpec, engine: Engine, lake: Lake) {
    this.spec = spec
    this.#engine = engine
    this.#lake = lake
  }

  get visible(): Visible {
    return this.#visible
  }

  get pendingRows(): number {
    return this.#tail?.rows ?? 0
  }

  get pendingBytes(): number {
    return this.#tail?.bytes ?? 0
  }

  /** Rows in the tail that readers see now. */
  get tailRows(): number {
    return this.#visible.tails.reduce((sum, generation) => sum + generation.rows, 0)
  }

  /** Rows by the snapshot's and the tail's own figures: rows of a key in the tail are changes. */
  get figures(): RowCount {
    const { table, provisional } = this.#visible
    const committed = table?.current ? rowsLeft(table.current.summary) : 0
    const uncommitted = this.tailRows + (provisional?.rows ?? 0)
    if (this.spec.key.length > 0 || this.spec.isOneRow) return { rows: committed, changes: uncommitted }
    return { rows: committed === null ? null : committed + uncommitted, changes: 0 }
  }

  /** What `count` gave last, while readers see the same. */
  counted(count: () => Promise<number>): Promise<number> {
    const { version } = this
    if (this.#counted?.version !== version) this.#counted = { version, rows: count() }
    return this.#counted.rows
  }

  get version(): string {
    const { table, tails, provisional } = this.#visible
    return [table?.current?.id ?? 0, ...tails.map(({ id, rows }) => `${id}:${rows}`), provisional?.id ?? ''].join('.')
  }

  /** See `RelationStore.contentOf`. */
  get content(): bigint | null {
    const { table } = this.#visible
    let at = table?.current
    while (at && (this.#flushes.has(at.id) || at.operation === 'replace')) {
      const { parentId } = at
      at = table!.snapshots.find(({ id }) => id === parentId)
    }
    return at?.id ?? null
  }

  get isHidden(): boolean {
    return this.#isHidden
  }

  async reset({ anew } = { anew: false }): Promise<void> {
    const table = await this.#lake.table(this.spec.name)
    this.#isHidden = anew && (await this.#lake.files(table)).length > 0
    if (this.spec.tailed && !this.#tail) this.#tail = await HotTail.open(this.#engine, this.spec)
    const active = this.#tail ? await this.#tail.clear() : null
    const old = this.#visible
    this.#visible = { table, tails: active && !this.#isHidden ? [active] : [], provisional: null }
    for (const generation of [...old.tails, ...(old.provisional ? [old.provisional] : [])]) if (generation !== active) generation.retire()
  }

  async append(batch: ColumnBatch): Promise<void> {
    await this.#mustTail().append(batch)
  }

  async replaceProvisional(batch: ColumnBatch): Promise<void> {
    if (this.#isHidden) return
    const fresh = batch.rows === 0 ? null : await this.#mustTail().separate(batch)
    const old = this.#visible.provisional
    this.#visible = { ...this.#visible, provisional: fresh }
    old?.retire()
  }

  #mustTail(): HotTail {
    if (!this.#tail) throw new MillraceError('MR_ASSERT', `cannot be: ${this.spec.name} has no tail`)
    return this.#tail
  }

  async cut(): Promise<RelationFlush> {
    const tail = this.#mustTail()
    if (this.#isHidden) return this.#cutHidden(tail)
    if (tail.rows === 0) return { changes: async () => [], publish: async () => {} }
    const frozen = await tail.rotate((old, active) => {
      this.#visible = { ...this.#visible, tails: [...this.#visible.tails.filter((generation) => generation !== old), old, active] }
    })
    const { key, isOneRow } = this.spec
    const write = (parts: FlushParts): Promise<TableChange> =>
      isOneRow ? flushReplacing(parts) : key.length > 0 ? flushKeyed(parts, key) : flushAppend(parts)
    return {
      changes: async () => [await this.#flush(frozen, write)].filter(hasEffect),
      publish: async (tables) => {
        this.#noteFlush(tables)
        this.#show(tables, (shown) => shown.filter((generation) => generation !== frozen))
        frozen.retire()
      },
    }
  }

  #noteFlush(tables: readonly LakeTable[]): void {
    const table = tables.find(({ name }) => name === this.spec.name)
    if (!table?.current) return
    this.#flushes.add(table.current.id)
    for (const id of this.#flushes) if (!table.snapshots.some((snapshot) => snapshot.id === id)) this.#flushes.delete(id)
  }

  async #cutHidden(tail: HotTail): Promise<RelationFlush> {
    let next: Generation | null = null
    const frozen = await tail.rotate((_, active) => {
      next = active
    })
    return {
      changes: async () => [await this.#flush(frozen, flushReplacing)],
      publish: async (tables) => {
        this.#isHidden = false
        this.#show(tables, () => (next ? [next] : []))
        frozen.retire()
      },
    }
  }

  #show(tables: readonly LakeTable[], tails: (shown: readonly Generation[]) => readonly Generation[]): void {
    const table = tables.find((candidate) => candidate.name === this.spec.name)
    this.#visible = { ...this.#visible, table: newer(this.#visible.table, table), tails: tails(this.#visible.tails) }
  }

  async #flushParts({ sql, keys }: Held): Promise<FlushParts> {
    return {
      engine: this.#engine,
      lake: this.#lake,
      table: await this.#lake.table(this.spec.name),
      source: sql,
      ...(keys === undefined ? {} : { keys }),
    }
  }

  async #flush(frozen: Generation, write: (parts: FlushParts) => Promise<TableChange>): Promise<TableChange> {
    const held = await frozen.hold()
    try {
      return await write(await this.#flushParts(held))
    } finally {
      held.letGo()
    }
  }

  /** A commit by somebody else (a model's refresh, compaction) moved the table. */
  committed(table: LakeTable): void {
    this.#visible = { ...this.#visible, table: newer(this.#visible.table, table) }
  }
}

/** Keys may have gone that were not there. */
const hasEffect = ({ add, remove, delete: deleted }: TableChange): boolean => add.length > 0 || remove.length > 0 || deleted !== undefined

/** Commits may be heard of out of order. Metadata files count up, also when a table goes back to an earlier snapshot. */
function newer(known: LakeTable | null, heard: LakeTable | undefined): LakeTable | null {
  if (!heard || !known || known.uuid !== heard.uuid) return heard ?? known
  return numberOfMetadata(heard.metadataLocation) >= numberOfMetadata(known.metadataLocation) ? heard : known
}
