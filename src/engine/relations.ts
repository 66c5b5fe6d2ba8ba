// Every stored relation as it can be read now: the committed table and, for what comes through the log, the hot tail in
// front of it. A reader pins one (snapshot, tail) pair; a flush swaps both in one assignment, and a tail generation goes only
// when no pin holds it. PROTOCOL rule 16.
import { createHash } from 'node:crypto'
import { MillraceError } from '../core/errors.ts'
import { schemaOf } from '../lake/list-files.ts'
import { type Moment, schemaAt, snapshotAt } from '../lake/moment.ts'
import type { Lake } from '../lake/open-lake.ts'
import { schemaToShape } from '../lake/schema-mapping.ts'
import type { LakeSnapshot, LakeTable, PruneTerm } from '../lake/types.ts'
import type { Shape } from '../schema/type.ts'
import type { Engine } from './duckdb.ts'
import { ManagedRelation, type RelationSpec, type RowCount, type Visible, type WritableRelation } from './managed-relation.ts'
import { emptySql, scanSql } from './scan.ts'

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

/** Up to so many committed rows a keyed relation with a tail is counted; above, what is committed and its changes are told. */
const COUNTED_MAX = 100_000

export interface PinOptions {
  readonly at?: Moment
  /** Leaves the tail out. */
  readonly committedOnly?: boolean
  readonly prune?: readonly PruneTerm[]
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
    const holding = generations.filter(({ rows, isOpen }) => rows > 0 || isOpen).map((generation) => generation.hold())
    const held = Promise.all(holding)
    held.catch(() => {}) // waited for below, after what may fail first
    const lease = this.#lake.lease()
    let unpin = (): void => {}
    const release = once(() => {
      unpin()
      lease.release()
      for (const one of holding)
        one.then(
          (tail) => tail.letGo(),
          () => {},
        )
    })
    try {
      const snapshot = snapshotAt(visible.table, options.at)
      if (visible.table && snapshot) unpin = this.#lake.pin(visible.table, snapshot)
      const listed =
        visible.table && snapshot ? await this.#lake.files(visible.table, snapshot, prunable(visible.table, snapshot, options)) : []
      const files = await lease.local(listed)
      const tails = await held
      const isEmpty = files.length === 0 && tails.length === 0
      return {
        relation: name,
        shape: spec.shape,
        scanSql: isEmpty
          ? emptySql(spec.shape)
          : scanSql({ table: visible.table, files, tails, shape: spec.shape, key: spec.key, isOneRow: spec.isOneRow === true }),
        version: `${snapshot?.id ?? 0}${tails.map(({ place }) => place.slice(name.length)).join('')}${options.prune?.length ? `.${prunedVersion(options.prune)}` : ''}`,
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
