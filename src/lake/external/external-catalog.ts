// The catalog interface over an external Iceberg REST catalog: tables, views and namespaces are there; offsets, checkpoints,
// cursors, refreshes and changes are in the control database (decision 14). A commit goes out under an intent, so that a crash
// at any step leaves it to be finished. Owners are fenced here, not there: one data directory writes a project's tables.
import { MillraceError } from '../../core/errors.ts'
import { uuidV7 } from '../../core/random.ts'
import type { Catalog, CommitOutcome, CommitRequest, Finished } from '../../store/catalog.ts'
import { MAIN, namespaceOf } from '../../store/identifier.ts'
import type { Intent, Intents } from '../../store/intents.ts'
import { TableLocks } from '../table-locks.ts'
import { viewUpdatesBetween } from '../updates/view-updates-between.ts'
import { parseView } from '../views/view-metadata.ts'
import { type CarryOutParts, Certain, carryOut } from './carry-out.ts'

export interface ExternalParts extends CarryOutParts {
  /** What is local; its own tables are not used. */
  readonly local: Catalog
  readonly intents: Intents
}

/**
 * Finishes what an earlier process began, then answers the catalog.
 * @throws MR_CATALOG_BUSY, MR_CATALOG_DENIED, MR_CATALOG_REFUSED, MR_CATALOG_PARTIAL
 */
export async function openExternalCatalog(parts: ExternalParts): Promise<Catalog> {
  const { entries, local, intents } = parts
  await entries.makeNamespace(MAIN)
  const commits = new Commits(parts, await intents.unfinished())
  await commits.settle()
  const noted = async (nowMs: number, tables: CommitRequest['tables'], finished: Finished | undefined): Promise<CommitOutcome> => ({
    kind: 'committed',
    sequence: await intents.note({ tables, nowMs, ...(finished ? { finished } : {}) }),
  })
  /** What has the name now, if it is where the caller thinks. */
  const found = async (name: string) => {
    const table = await entries.pointer(name)
    const view = table ? null : await entries.view(name)
    return { table, kind: table ? ('table' as const) : ('view' as const), location: table?.location ?? view?.location }
  }
  const gone = (name: string) => ({ name, from: null, to: '', snapshotId: null })
  return {
    tables: async () => (await entries.pointers()).pointers,
    denied: async () => [...(await entries.pointers()).denied, ...(await entries.viewPointers()).denied],
    table: (name) => entries.pointer(name),
    views: async () => (await entries.viewPointers()).pointers,
    async view(name) {
      const loaded = await entries.view(name)
      return loaded && { name, location: loaded.location }
    },
    commit: (request) => commits.commit(request),
    drop: (name, from, nowMs, finished) =>
      commits.alone([name], async () => {
        const { table, kind, location } = await found(name)
        if (location !== from || !(await entries.drop(name, kind))) return { kind: 'conflict', table: name, current: table }
        return noted(nowMs, kind === 'table' ? [gone(name)] : [], finished)
      }),
    rename: (name, from, to, nowMs, finished) =>
      commits.alone([name, to], async () => {
        const { table, kind, location } = await found(name)
        if (location !== from) return { kind: 'conflict', table: name, current: table }
        const taken = await found(to)
        if (taken.location !== undefined) return { kind: 'conflict', table: to, current: taken.table }
        await entries.makeNamespace(namespaceOf(to))
        if (!(await entries.rename(name, to, kind))) return { kind: 'conflict', table: to, current: null }
        const changes = [gone(name), { ...gone(to), snapshotId: table?.snapshotId ?? null }]
        return noted(nowMs, kind === 'table' ? changes : [], finished)
      }),
    async namespaces() {
      const names = await entries.namespaces()
      const all = await Promise.all(names.map(async (name) => ({ name, properties: await entries.namespace(name) })))
      return all.flatMap(({ name, properties }) => (properties === null && name !== MAIN ? [] : [{ name, properties: properties ?? {} }]))
    },
    async createNamespace({ name, properties }, nowMs, finished) {
      const isNew = await entries.makeNamespace(name, properties)
      if (isNew && finished) await local.finish(finished, nowMs)
      return isNew
    },
    async alterNamespace(name, { set, remove }, nowMs, finished) {
      const before = await entries.namespace(name)
      if (before === null || !(await entries.alterNamespace(name, set, remove))) return null
      if (finished) await local.finish(finished, nowMs)
      return { name, properties: before }
    },
    async dropNamespace(name, nowMs, finished) {
      const outcome = name === MAIN ? 'full' : await entries.dropNamespace(name)
      if (outcome === 'dropped' && finished) await local.finish(finished, nowMs)
      return outcome
    },
    finished: local.finished,
    finish: local.finish,
    begun: async () => commits.begun(),
    // Behind a commit of the earlier owner that has gone out already.
    acquire: (pipeline, generation) => commits.alone([ownerLock(pipeline)], () => local.acquire(pipeline, generation)),
    progress: (pipeline) => commits.alone([ownerLock(pipeline)], () => local.progress(pipeline)),
    committed: local.committed,
    refreshOf: local.refreshOf,
    cursor: local.cursor,
    changesAfter: local.changesAfter,
  }
}

/** No name of a table has a space. */
const ownerLock = (pipeline: string): string => `owner ${pipeline}`

const locksOf = ({ tables, views = [], pipeline, refresh }: CommitRequest): string[] => [
  ...tables.map(({ name }) => name),
  ...views.map(({ name }) => name),
  ...(pipeline ? [ownerLock(pipeline.name)] : []),
  ...(refresh ? [ownerLock(`refresh:${refresh.model}`)] : []),
]

class Commits {
  readonly #parts: ExternalParts
  readonly #locks = new TableLocks()
  /** Those of which it is not known how far they came: nothing else happens to what they concern before they are finished. */
  readonly #unsettled: Map<string, Intent>

  constructor(parts: ExternalParts, unfinished: readonly Intent[]) {
    this.#parts = parts
    this.#unsettled = new Map(unfinished.map((intent) => [intent.id, intent]))
  }

  /** Where those go that are not finished. */
  begun(): { readonly name: string; readonly location: string }[] {
    return [...this.#unsettled.values()].flatMap(({ request }) => request.tables.map(({ name, to }) => ({ name, location: to })))
  }

  /** Runs `action` when nothing else happens to `names`, and nothing that was begun on them is open. */
  async alone<T>(names: readonly string[], action: () => Promise<T>): Promise<T> {
    for (;;) {
      await this.settle(names)
      const done = await this.#locks.run(names, async () => (this.#openOn(names).length > 0 ? null : { value: await action() }))
      if (done) return done.value
    }
  }

  #openOn(names: readonly string[]): Intent[] {
    return [...this.#unsettled.values()].filter(({ request }) => locksOf(request).some((name) => names.includes(name)))
  }

  /** Finishes what was begun on `names`, or on anything. */
  async settle(names?: readonly string[]): Promise<void> {
    for (const intent of names ? this.#openOn(names) : [...this.#unsettled.values()])
      await this.#locks.run(locksOf(intent.request), async () => {
        if (this.#unsettled.has(intent.id)) await this.#carryOut(intent, true)
      })
  }

  async commit(request: CommitRequest): Promise<CommitOutcome> {
    const { tables, views = [] } = request
    if (tables.length > 0 && views.length > 0) throw new MillraceError('MR_ASSERT', 'one commit changes tables and views')
    return this.alone(locksOf(request), async () => {
      if (views.length > 0) return this.#commitViews(request)
      if (tables.length === 0) return this.#parts.local.commit(request)
      return (await this.#conflicting(request)) ?? (await this.#register(request)) ?? (await this.#commitTables(request))
    })
  }

  /** A look before anything is written: most lost races end here. */
  async #conflicting({ tables }: CommitRequest): Promise<CommitOutcome | null> {
    for (const { name, from } of tables) {
      const current = await this.#parts.entries.pointer(name)
      if ((current?.location ?? null) !== from) return { kind: 'conflict', table: name, current }
    }
    return null
  }

  async #commitTables(request: CommitRequest): Promise<CommitOutcome> {
    const { intents, clock, random, entries } = this.#parts
    const intent = { id: uuidV7(clock.nowMs(), random), request }
    const refused = await intents.begin(intent)
    if (refused) return refused
    this.#unsettled.set(intent.id, intent)
    for (const { name, from } of request.tables)
      if (from === null) await this.#certainly(intent, () => entries.makeNamespace(namespaceOf(name)))
    return this.#carryOut(intent, false)
  }

  async #certainly(intent: Intent, action: () => Promise<unknown>): Promise<void> {
    try {
      await action()
    } catch (error) {
      await this.#forget(intent)
      throw error
    }
  }

  async #forget({ id }: Intent): Promise<void> {
    await this.#parts.intents.forget(id)
    this.#unsettled.delete(id)
  }

  async #carryOut(intent: Intent, isResumed: boolean): Promise<CommitOutcome> {
    const { files, intents } = this.#parts
    try {
      const outcome = await carryOut(this.#parts, intent, isResumed)
      if (outcome.kind === 'conflict') {
        await this.#forget(intent)
        return outcome
      }
      const sequence = await intents.finish(intent)
      this.#unsettled.delete(intent.id)
      // The catalog has written metadata of its own.
      const spent = intent.request.tables.filter(({ name, to }) => outcome.placed[name] !== undefined && outcome.placed[name] !== to)
      await files.discard(spent.map(({ to }) => to))
      return { kind: 'committed', sequence, placed: outcome.placed }
    } catch (error) {
      if (!(error instanceof Certain)) throw error
      await this.#forget(intent)
      throw error.error
    }
  }

  /** A table that exists already as files gets a name here: nothing to carry out, the catalog takes it as it is. */
  async #register(request: CommitRequest): Promise<CommitOutcome | null> {
    const { files, entries, intents } = this.#parts
    const [move, another] = request.tables
    if (!move || another || move.from !== null) return null
    const metadata = await files.metadata(move.to)
    if (metadata.snapshots.length === 0 && metadata.schemas.length === 1) return null
    await entries.makeNamespace(namespaceOf(move.name))
    const registered = await entries.register(move.name, move.to)
    if (!registered) return { kind: 'conflict', table: move.name, current: await entries.pointer(move.name) }
    return { kind: 'committed', sequence: await intents.note(request), placed: { [move.name]: registered.location } }
  }

  async #commitViews(request: CommitRequest): Promise<CommitOutcome> {
    const { files, entries, intents } = this.#parts
    const read = async (location: string) => parseView((await files.read(location)).toString(), location)
    const placed: Record<string, string> = {}
    for (const { name, from, to } of request.views!) {
      const now = await entries.view(name)
      const table = now ? null : await entries.pointer(name)
      if (table || (now?.location ?? null) !== from) return { kind: 'conflict', table: name, current: table }
      if (from === null) await entries.makeNamespace(namespaceOf(name))
      const after = await read(to)
      const location = await entries.putView(name, after, now ? viewUpdatesBetween(now.metadata, after) : undefined)
      if (location === null) return { kind: 'conflict', table: name, current: await entries.pointer(name) }
      placed[name] = location
      if (location !== to) await files.discard([to])
    }
    return { kind: 'committed', sequence: await intents.note(request), placed }
  }
}
