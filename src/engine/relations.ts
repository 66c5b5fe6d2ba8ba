// Every stored relation as it can be read now: the committed table and, for what comes through the log, the hot tail in
// front of it. A reader pins one (snapshot, tail) pair; a flush swaps both in one assignment, and a tail generation goes only
// when no pin holds it. PROTOCOL rule 16.
import { createHash } from 'node:crypto'
import { MillraceError } from '../core/errors.ts'
import { schemaOf } from '../lake/list-files.ts'
import { numberOfMetadata } from '../lake/location.ts'
import { type Moment, schemaAt, snapshotAt } from '../lake/moment.ts'
import type { Lake } from '../lake/open-lake.ts'
import { schemaToShape } from '../lake/schema-mapping.ts'
import { rowsLeft } from '../lake/snapshot-summary.ts'
import type { LakeSnapshot, LakeTable, PruneTerm, TableChange } from '../lake/types.ts'
import type { ColumnBatch } from '../schema/batch.ts'
import type { Shape } from '../schema/type.ts'
import type { Engine } from './duckdb.ts'
import { type FlushParts, flushAppend, flushKeyed, flushReplacing } from './flush.ts'
import { emptySql, scanSql } from './scan.ts'
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

export interface Pin {
  readonly relation: string
  readonly shape: Shape
  /** SELECT of all rows as of this pin. */
  readonly scanSql: string
  /** Changes whenever `scanSql` would; the newest generation grows without it (see `versionOf`). */
  readonly version: string
  readonly snapshotId: string | null
  /** Whether rows that are not committed yet are in it. */
  readonly hasTail: boolean
  release(): void
}

/** How many rows there are. */
export interface RowCount {
  /** As a reader sees them now, but for `changes`; null where another writer did not count what it committed. */
  readonly rows: number | null
  /** Rows by key in the tail that `rows` does not have: each replaces, adds or takes away one. 0 where `rows` is all. */
  readonly changes: number
}

/** Up to so many committed rows a keyed relation with a tail is counted; above, what is committed and its changes are told. */
const COUNTED_MAX = 100_000

export interface PinOptions {
  readonly at?: Moment
  /** Leaves the tail out. */
  readonly committedOnly?: boolean
  readonly prune?: readonly PruneTerm[]
}

/** What readers see: replaced as a whole, never changed. */
interface Visible {
  readonly table: LakeTable | null
  readonly tails: readonly Generation[]
  readonly provisional: Generation | null
}

class ManagedRelation implements WritableRelation {
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
    const held = frozen.hold()
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

export class RelationStore {
  readonly #engine: Engine
  readonly #lake: Lake
  readonly #relations = new Map<string, ManagedRelation>()

  constructor(engine: Engine, lake: Lake) {
    this.#engine = engine
    this.#lake = lake
  }

  /** Makes a relation known; its table exists already. */
  async add(spec: RelationSpec): Promise<void> {
    const relation = new ManagedRelation(spec, this.#engine, this.#lake)
    await relation.reset()
    this.#relations.set(spec.name, relation)
  }

  remove(name: string): void {
    this.#relations.delete(name)
  }

  has(name: string): boolean {
    return this.#relations.has(name)
  }

  writable(name: string): WritableRelation {
    return this.#must(name)
  }

  /** The committed table as readers see it now. */
  tableOf(name: string): LakeTable | null {
    return this.#must(name).visible.table
  }

  /**
   * Changes with every commit that changes what readers see, also of a table that another engine made: neither a flush of the tail
   * does nor rows that are written anew as they are.
   */
  async contentOf(name: string): Promise<bigint | null> {
    const relation = this.#relations.get(name)
    if (relation) return relation.content
    const { visible } = await this.#fromCatalog(name)
    return visible.table?.current?.id ?? null
  }

  /** Changes with every row that a reader would see: for ETags and caches. */
  versionOf(name: string): string {
    return this.#must(name).version
  }

  tailRowsOf(name: string): number {
    return this.#must(name).tailRows
  }

  /** Null before the first row. Reads data only of keyed relations that are small; where that fails, it tells the changes as for others. */
  async countOf(name: string): Promise<RowCount | null> {
    const relation = this.#must(name)
    const { figures } = relation
    if (figures.rows === 0 && figures.changes === 0 && !relation.visible.table?.current) return null
    if (figures.changes === 0 || figures.rows === null || figures.rows > COUNTED_MAX) return figures
    try {
      return { rows: await relation.counted(() => this.#countRows(name)), changes: 0 }
    } catch {
      return figures
    }
  }

  async #countRows(name: string): Promise<number> {
    const pin = await this.pin(name)
    const session = await this.#engine.session()
    try {
      return Number((await session.rows(`SELECT count(*) FROM (${pin.scanSql})`)).rows[0]![0])
    } finally {
      session.close()
      pin.release()
    }
  }

  committed(table: LakeTable): void {
    this.#relations.get(table.name)?.committed(table)
  }

  #must(name: string): ManagedRelation {
    const relation = this.#relations.get(name)
    if (!relation) throw unknownRelation(name)
    return relation
  }

  /** A table that another engine made: as the catalog has it now, with what its schema says, or said then, and no tail. */
  async #fromCatalog(name: string, at?: Moment): Promise<{ spec: RelationSpec; visible: Visible }> {
    const pointer = await this.#lake.catalog.table(name)
    if (!pointer) throw unknownRelation(name)
    const now = await this.#lake.at(pointer)
    const table = { ...now, schema: schemaAt(now, at) }
    const spec = { name, shape: schemaToShape(table.schema), key: [], tailed: false }
    return { spec, visible: { table, tails: [], provisional: null } }
  }

  /** Fixes what a reader sees until it releases the pin. @throws MR_SQL_UNKNOWN, MR_LAKE_SNAPSHOT_UNKNOWN. */
  async pin(name: string, options: PinOptions = {}): Promise<Pin> {
    const { spec, visible } = this.#relations.get(name) ?? (await this.#fromCatalog(name, options.at))
    const isPast = options.at !== undefined
    const generations = isPast || options.committedOnly ? [] : [...visible.tails, ...(visible.provisional ? [visible.provisional] : [])]
    const tails = generations.filter(({ rows, isOpen }) => rows > 0 || isOpen).map((generation) => generation.hold())
    const lease = this.#lake.lease()
    let unpin = (): void => {}
    const release = once(() => {
      unpin()
      lease.release()
      for (const tail of tails) tail.letGo()
    })
    try {
      const snapshot = snapshotAt(visible.table, options.at)
      if (visible.table && snapshot) unpin = this.#lake.pin(visible.table, snapshot)
      const listed =
        visible.table && snapshot ? await this.#lake.files(visible.table, snapshot, prunable(visible.table, snapshot, options)) : []
      const files = await lease.local(listed)
      const isEmpty = files.length === 0 && tails.length === 0
      return {
        relation: name,
        shape: spec.shape,
        scanSql: isEmpty
          ? emptySql(spec.shape)
          : scanSql({ table: visible.table, files, tails, shape: spec.shape, key: spec.key, isOneRow: spec.isOneRow === true }),
        version: `${snapshot?.id ?? 0}${tails.map(({ table }) => table.slice(name.length)).join('')}${options.prune?.length ? `.${prunedVersion(options.prune)}` : ''}`,
        snapshotId: snapshot?.id.toString() ?? null,
        hasTail: tails.length > 0,
        release,
      }
    } catch (error) {
      release()
      throw error
    }
  }
}

const unknownRelation = (name: string): MillraceError =>
  new MillraceError('MR_SQL_UNKNOWN', `there is no relation "${name}"`, { fix: 'see `millrace status` for those that there are' })

/** Files of an earlier snapshot are pruned by the names of its own schema, which the terms may not mean. */
const prunable = (table: LakeTable, snapshot: LakeSnapshot, { prune = [] }: PinOptions): readonly PruneTerm[] =>
  schemaOf(table, snapshot).id === table.schema.id ? prune : []

/** Short, whatever a list of values is: it is part of every record of the audit. */
const prunedVersion = (prune: readonly PruneTerm[]): string =>
  createHash('sha256')
    .update(JSON.stringify(prune, (_key, value) => (typeof value === 'bigint' ? value.toString() : value)))
    .digest('hex')
    .slice(0, 12)

function once(action: () => void): () => void {
  let isDone = false
  return () => {
    if (isDone) return
    isDone = true
    action()
  }
}
