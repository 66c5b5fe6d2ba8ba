// The catalog as a model: what `Catalog` promises, in memory, for simulations. A crash point before the transaction loses
// it, one after it loses only the answer; that difference is what the commit protocol has to live with.
import {
  type Catalog,
  type Change,
  type CheckpointRow,
  type CommitOutcome,
  type CommitRequest,
  type Finished,
  type Namespace,
  type OffsetRow,
  offsetsOf,
  type TablePointer,
  type ViewPointer,
} from '../../src/store/catalog.ts'
import { MAIN, namespaceOf, namespacesUpTo } from '../../src/store/identifier.ts'

export interface ModelCatalog extends Catalog {
  /** Every change ever made: the history that simulations check. */
  history(): readonly Change[]
}

/** `point` is awaited around each transaction and may throw to simulate a crash there. */
export function modelCatalog(point: (name: string) => Promise<void> = async () => {}): ModelCatalog {
  const pointers = new Map<string, TablePointer>()
  const views = new Map<string, ViewPointer>()
  const namespaces = new Map<string, Namespace>([[MAIN, { name: MAIN, properties: {} }]])
  const requests = new Map<string, Finished & { readonly finishedMs: number }>()
  const offsets = new Map<string, Map<string, OffsetRow>>()
  const checkpoints = new Map<string, CheckpointRow>()
  const generations = new Map<string, string>()
  const cursors = new Map<string, string>()
  const refreshes = new Map<string, { inputs: Readonly<Record<string, string | null>>; runId: string; committedMs: number }>()
  const changes: Change[] = []
  const byName = <T extends { readonly name: string }>(all: Iterable<T>) => [...all].sort((a, b) => (a.name < b.name ? -1 : 1))
  const sorted = () => byName(pointers.values())
  const locationOf = (name: string) => pointers.get(name)?.location ?? views.get(name)?.location
  const ensureNamespaces = (name: string) => {
    for (const each of namespacesUpTo(name)) if (!namespaces.has(each)) namespaces.set(each, { name: each, properties: {} })
  }
  const remember = (finished: Finished | undefined, nowMs: number) => {
    if (finished) requests.set(finished.key, { ...finished, finishedMs: nowMs })
  }

  const refuse = (request: CommitRequest): CommitOutcome | null => {
    const { pipeline, refresh } = request
    if (pipeline && generations.get(pipeline.name) !== pipeline.generation) return { kind: 'fenced', pipeline: pipeline.name }
    if (refresh?.token !== undefined && generations.get(`refresh:${refresh.model}`) !== refresh.token)
      return { kind: 'fenced', pipeline: `refresh:${refresh.model}` }
    for (const [kind, moves] of [[pointers, request.tables] as const, [views, request.views ?? []] as const]) {
      for (const { name, from } of moves) {
        const isExpected = from === null ? locationOf(name) === undefined : kind.get(name)?.location === from
        if (!isExpected) return { kind: 'conflict', table: name, current: pointers.get(name) ?? null }
      }
    }
    return null
  }

  const apply = ({ tables, views: viewMoves, moved, pipeline, refresh, cursors: set, finished, nowMs }: CommitRequest): CommitOutcome => {
    for (const { name } of [...tables, ...(viewMoves ?? [])]) ensureNamespaces(namespaceOf(name))
    for (const { name, to } of viewMoves ?? []) views.set(name, { name, location: to })
    remember(finished, nowMs)
    for (const { name, to, snapshotId } of tables) {
      pointers.set(name, { name, location: to, snapshotId })
      changes.push({ sequence: changes.length + 1, table: name, snapshotId, committedMs: nowMs })
    }
    for (const [name, row] of moved ? checkpoints : []) {
      if (row.location.startsWith(`${moved!.from}/`))
        checkpoints.set(name, { ...row, location: `${moved!.to}${row.location.slice(moved!.from.length)}` })
    }
    if (pipeline) {
      const rows = offsets.get(pipeline.name) ?? new Map<string, OffsetRow>()
      offsets.set(pipeline.name, rows)
      for (const row of pipeline.offsets) rows.set(`${row.topic} ${row.partition}`, row)
      if (pipeline.checkpoint) checkpoints.set(pipeline.name, pipeline.checkpoint)
    }
    if (refresh) refreshes.set(refresh.model, { inputs: refresh.inputs, runId: refresh.runId, committedMs: nowMs })
    for (const cursor of set ?? []) cursors.set(cursor.name, cursor.value)
    return { kind: 'committed', sequence: changes.length }
  }

  const transact = async <T>(change: () => T): Promise<T> => {
    await point('catalog: before the transaction')
    const outcome = change()
    await point('catalog: after the transaction')
    return outcome
  }

  return {
    tables: async () => sorted(),
    table: async (name) => pointers.get(name) ?? null,
    commit: (request) => transact(() => refuse(request) ?? apply(request)),
    views: async () => byName(views.values()),
    view: async (name) => views.get(name) ?? null,
    drop: (name, from, nowMs, finished) =>
      transact((): CommitOutcome => {
        if (locationOf(name) !== from) return { kind: 'conflict', table: name, current: pointers.get(name) ?? null }
        if (pointers.delete(name)) changes.push({ sequence: changes.length + 1, table: name, snapshotId: null, committedMs: nowMs })
        views.delete(name)
        remember(finished, nowMs)
        return { kind: 'committed', sequence: changes.length }
      }),
    rename: (name, from, to, nowMs, finished) =>
      transact((): CommitOutcome => {
        if (locationOf(name) !== from) return { kind: 'conflict', table: name, current: pointers.get(name) ?? null }
        if (locationOf(to) !== undefined) return { kind: 'conflict', table: to, current: pointers.get(to) ?? null }
        ensureNamespaces(namespaceOf(to))
        const table = pointers.get(name)
        if (table) {
          pointers.delete(name)
          pointers.set(to, { ...table, name: to })
          changes.push({ sequence: changes.length + 1, table: name, snapshotId: null, committedMs: nowMs })
          changes.push({ sequence: changes.length + 1, table: to, snapshotId: table.snapshotId, committedMs: nowMs })
        } else {
          views.delete(name)
          views.set(to, { name: to, location: from })
        }
        remember(finished, nowMs)
        return { kind: 'committed', sequence: changes.length }
      }),
    namespaces: async () => byName(namespaces.values()),
    createNamespace: (namespace, nowMs, finished) =>
      transact(() => {
        if (namespaces.has(namespace.name)) return false
        ensureNamespaces(namespace.name)
        namespaces.set(namespace.name, namespace)
        remember(finished, nowMs)
        return true
      }),
    alterNamespace: (name, { set, remove }, nowMs, finished) =>
      transact(() => {
        const before = namespaces.get(name)
        if (!before) return null
        const kept = Object.entries({ ...before.properties, ...set }).filter(([key]) => !remove.includes(key))
        namespaces.set(name, { name, properties: Object.fromEntries(kept) })
        remember(finished, nowMs)
        return before
      }),
    dropNamespace: (name, nowMs, finished) =>
      transact(() => {
        if (!namespaces.has(name)) return 'unknown'
        const holds = [...pointers.keys(), ...views.keys()].some((entry) => namespaceOf(entry) === name)
        if (name === MAIN || holds || [...namespaces.keys()].some((other) => other.startsWith(`${name}.`))) return 'full'
        namespaces.delete(name)
        remember(finished, nowMs)
        return 'dropped'
      }),
    async finished(key, nowMs) {
      const row = requests.get(key)
      return row && row.finishedMs >= nowMs - 3_600_000 ? { key, request: row.request, answer: row.answer } : null
    },
    finish: async (finished, nowMs) => remember(finished, nowMs),
    async acquire(pipeline, generation) {
      generations.set(pipeline, generation)
    },
    async progress(pipeline) {
      const rows = [...(offsets.get(pipeline)?.values() ?? [])]
      rows.sort((a, b) => (a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1))
      return { offsets: rows, checkpoint: checkpoints.get(pipeline) ?? null }
    },
    async committed(topic) {
      const rows = [...offsets.values()].flatMap((of) => [...of.values()]).filter((row) => row.topic === topic)
      return offsetsOf(rows)
    },
    refreshOf: async (model) => refreshes.get(model) ?? null,
    cursor: async (name) => cursors.get(name) ?? null,
    denied: async () => [],
    begun: async () => [],
    changesAfter: async (sequence) => changes.filter((change) => change.sequence > sequence),
    history: () => changes,
  }
}
