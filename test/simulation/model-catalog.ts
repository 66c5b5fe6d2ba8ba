// The catalog as a model: what `Catalog` promises, in memory, for simulations. A crash point before the transaction loses
// it, one after it loses only the answer; that difference is what the commit protocol has to live with.
import {
  type Catalog,
  type Change,
  type CheckpointRow,
  type CommitOutcome,
  type CommitRequest,
  type OffsetRow,
  offsetsOf,
  type TablePointer,
} from '../../src/store/catalog.ts'

export interface ModelCatalog extends Catalog {
  /** Every change ever made: the history that simulations check. */
  history(): readonly Change[]
}

/** `point` is awaited around each transaction and may throw to simulate a crash there. */
export function modelCatalog(point: (name: string) => Promise<void> = async () => {}): ModelCatalog {
  const pointers = new Map<string, TablePointer>()
  const offsets = new Map<string, Map<string, OffsetRow>>()
  const checkpoints = new Map<string, CheckpointRow>()
  const generations = new Map<string, string>()
  const cursors = new Map<string, string>()
  const refreshes = new Map<string, { inputs: Readonly<Record<string, string | null>>; runId: string; committedMs: number }>()
  const changes: Change[] = []
  const sorted = () => [...pointers.values()].sort((a, b) => (a.name < b.name ? -1 : 1))

  const refuse = (request: CommitRequest): CommitOutcome | null => {
    const { pipeline, refresh } = request
    if (pipeline && generations.get(pipeline.name) !== pipeline.generation) return { kind: 'fenced', pipeline: pipeline.name }
    if (refresh?.token !== undefined && generations.get(`refresh:${refresh.model}`) !== refresh.token)
      return { kind: 'fenced', pipeline: `refresh:${refresh.model}` }
    for (const { name, from } of request.tables) {
      const current = pointers.get(name) ?? null
      if ((current?.location ?? null) !== from) return { kind: 'conflict', table: name, current }
    }
    return null
  }

  const apply = ({ tables, pipeline, refresh, cursors: moved, nowMs }: CommitRequest): CommitOutcome => {
    for (const { name, to, snapshotId } of tables) {
      pointers.set(name, { name, location: to, snapshotId })
      changes.push({ sequence: changes.length + 1, table: name, snapshotId, committedMs: nowMs })
    }
    if (pipeline) {
      const rows = offsets.get(pipeline.name) ?? new Map<string, OffsetRow>()
      offsets.set(pipeline.name, rows)
      for (const row of pipeline.offsets) rows.set(`${row.topic} ${row.partition}`, row)
      if (pipeline.checkpoint) checkpoints.set(pipeline.name, pipeline.checkpoint)
    }
    if (refresh) refreshes.set(refresh.model, { inputs: refresh.inputs, runId: refresh.runId, committedMs: nowMs })
    for (const cursor of moved ?? []) cursors.set(cursor.name, cursor.value)
    return { kind: 'committed', sequence: changes.length }
  }

  const transact = async (change: () => CommitOutcome): Promise<CommitOutcome> => {
    await point('catalog: before the transaction')
    const outcome = change()
    await point('catalog: after the transaction')
    return outcome
  }

  return {
    tables: async () => sorted(),
    table: async (name) => pointers.get(name) ?? null,
    commit: (request) => transact(() => refuse(request) ?? apply(request)),
    drop: (name, from, nowMs) =>
      transact(() => {
        const current = pointers.get(name) ?? null
        if (current?.location !== from) return { kind: 'conflict', table: name, current }
        pointers.delete(name)
        changes.push({ sequence: changes.length + 1, table: name, snapshotId: null, committedMs: nowMs })
        return { kind: 'committed', sequence: changes.length }
      }),
    async acquire(pipeline, generation) {
      generations.set(pipeline, generation)
    },
    async progress(pipeline) {
      const rows = [...(offsets.get(pipeline)?.values() ?? [])]
      rows.sort((a, b) => (a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1))
      return { offsets: rows, checkpoint: checkpoints.get(pipeline) ?? null, tables: sorted() }
    },
    async committed(topic) {
      const rows = [...offsets.values()].flatMap((of) => [...of.values()]).filter((row) => row.topic === topic)
      return offsetsOf(rows)
    },
    refreshOf: async (model) => refreshes.get(model) ?? null,
    cursor: async (name) => cursors.get(name) ?? null,
    changesAfter: async (sequence) => changes.filter((change) => change.sequence > sequence),
    history: () => changes,
  }
}
