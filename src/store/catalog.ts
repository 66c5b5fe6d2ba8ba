// The catalog and the one commit, as an interface: SQLite (`sqlite-catalog.ts`) in production, a model in simulations.
// PROTOCOL rules 14 and 15: files are durable before; this transaction alone makes them visible. Names are those of
// `identifier.ts`; a table and a view never share one.

export interface TablePointer {
  readonly name: string
  /** Location of the current metadata file. */
  readonly location: string
  /** Current snapshot, decimal text of 63 bits; null before the first. */
  readonly snapshotId: string | null
}

/** A view has a metadata file as a table has, and no snapshots. */
export interface ViewPointer {
  readonly name: string
  readonly location: string
}

export interface Namespace {
  readonly name: string
  readonly properties: Readonly<Record<string, string>>
}

/** A request that was carried out, kept so that its repetition is answered and not carried out again. */
export interface Finished {
  readonly key: string
  /** What tells the request from another that comes with the same key. */
  readonly request: string
  /** What is needed to answer again, as JSON. */
  readonly answer: string
}

export interface OffsetRow {
  readonly topic: string
  readonly partition: number
  /** Next offset to read: everything below is in committed tables. */
  readonly next: number
}

/** The highest of each partition; 0 where there is none. */
export function offsetsOf(rows: readonly Pick<OffsetRow, 'partition' | 'next'>[]): readonly number[] {
  const highest: number[] = Array.from({ length: Math.max(0, ...rows.map((row) => row.partition + 1)) }, () => 0)
  for (const { partition, next } of rows) highest[partition] = Math.max(highest[partition]!, next)
  return highest
}

export interface CheckpointRow {
  readonly location: string
  /** Fingerprint of code, definition and engine that wrote it. */
  readonly code: string
}

export interface CommitRequest {
  /** Compare-and-set of pointers: `from` is the expected location, null when the table must not exist yet. */
  readonly tables: readonly {
    readonly name: string
    readonly from: string | null
    readonly to: string
    readonly snapshotId: string | null
  }[]
  /** The same for views. */
  readonly views?: readonly { readonly name: string; readonly from: string | null; readonly to: string }[]
  /** Checkpoints below `from` are below `to` from now on: a relocation's. Absolute paths without a slash at their end. */
  readonly moved?: { readonly from: string; readonly to: string }
  /** A pipeline's progress, replaced as a whole per (pipeline, topic, partition). */
  readonly pipeline?: {
    readonly name: string
    /** The owner's generation, compared for equality: a zombie's commit is refused. */
    readonly generation: string
    readonly offsets: readonly OffsetRow[]
    readonly checkpoint?: CheckpointRow
  }
  /** A model's refresh: the snapshots it read, and the run that made it. */
  readonly refresh?: {
    readonly model: string
    readonly inputs: Readonly<Record<string, string | null>>
    readonly runId: string
    /** Fencing token of the step; compared when present, with the generation acquired under `refresh:<model>`. */
    readonly token?: string
  }
  /** Cursors of file loads and the like. */
  readonly cursors?: readonly { readonly name: string; readonly value: string }[]
  /** Kept with the change, so that a crash leaves both or neither. */
  readonly finished?: Finished
  readonly nowMs: number
}

export interface Change {
  /** Position in the sequence that other processes follow. */
  readonly sequence: number
  readonly table: string
  readonly snapshotId: string | null
  readonly committedMs: number
}

export type CommitOutcome =
  | {
      readonly kind: 'committed'
      readonly sequence: number
      /** By table or view: the metadata file that the catalog wrote itself in place of `to`, which is gone then. */
      readonly placed?: Readonly<Record<string, string>>
    }
  | { readonly kind: 'conflict'; readonly table: string; readonly current: TablePointer | null }
  | { readonly kind: 'fenced'; readonly pipeline: string }

export interface Catalog {
  /** All but those that `denied` names. */
  tables(): Promise<readonly TablePointer[]>
  /** Names of tables and views that are there and that this project may not load: of a catalog of others only. */
  denied(): Promise<readonly string[]>
  table(name: string): Promise<TablePointer | null>
  views(): Promise<readonly ViewPointer[]>
  view(name: string): Promise<ViewPointer | null>
  /**
   * All of it or nothing, durable when resolved (synchronous = FULL). A new name makes its namespaces; a name that a view
   * has conflicts for a table, and the other way round.
   */
  commit(request: CommitRequest): Promise<CommitOutcome>
  /** Removes the pointer of a table or view; a change with snapshot null tells the followers of a table. */
  drop(name: string, from: string, nowMs: number, finished?: Finished): Promise<CommitOutcome>
  /** Gives a table or view another name; a change for each name tells the followers. Conflicts when `to` is taken. */
  rename(name: string, from: string, to: string, nowMs: number, finished?: Finished): Promise<CommitOutcome>
  /** Sorted by name; `main` is always among them. */
  namespaces(): Promise<readonly Namespace[]>
  /** Makes those around it too. False when it exists. */
  createNamespace(namespace: Namespace, nowMs: number, finished?: Finished): Promise<boolean>
  /** Sets and removes properties; answers those that were there before, null when there is no such namespace. */
  alterNamespace(
    name: string,
    change: { readonly set: Readonly<Record<string, string>>; readonly remove: readonly string[] },
    nowMs: number,
    finished?: Finished,
  ): Promise<Namespace | null>
  /** 'full' while it holds a table, a view or a namespace; `main` always is. */
  dropNamespace(name: string, nowMs: number, finished?: Finished): Promise<'dropped' | 'unknown' | 'full'>
  /** A request of the last hour that was carried out. */
  finished(key: string, nowMs: number): Promise<Finished | null>
  /** Keeps a request that changed nothing. */
  finish(finished: Finished, nowMs: number): Promise<void>
  /** Where commits go of which the end is not known yet: what this metadata reaches may still become current. */
  begun(): Promise<readonly Omit<TablePointer, 'snapshotId'>[]>
  /** Takes over a pipeline: later commits with another generation are refused, as are commits of a pipeline nobody acquired. */
  acquire(pipeline: string, generation: string): Promise<void>
  /** Offsets and checkpoint, read in one transaction. */
  progress(pipeline: string): Promise<{ readonly offsets: readonly OffsetRow[]; readonly checkpoint: CheckpointRow | null }>
  /** The highest offset that any pipeline has committed, by partition of the topic. */
  committed(topic: string): Promise<readonly number[]>
  refreshOf(model: string): Promise<{ inputs: Readonly<Record<string, string | null>>; runId: string; committedMs: number } | null>
  cursor(name: string): Promise<string | null>
  /** Oldest first. Only the newest 100,000 are kept: a follower that is further behind reads `tables` anew. */
  changesAfter(sequence: number): Promise<readonly Change[]>
}
