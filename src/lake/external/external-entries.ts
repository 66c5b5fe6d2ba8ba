// Tables, views and namespaces of an external catalog by their names here: a project's `orders` is `orders` in the namespace
// that the environment names, its `marts.daily` lies in `marts` below that. Reads and single requests; commits that must not
// be half done are in `carry-out.ts`.
import { printJson } from '../../core/json.ts'
import { encode } from '../../objects/http.ts'
import { inParallel } from '../../objects/parts.ts'
import type { TablePointer, ViewPointer } from '../../store/catalog.ts'
import { identifierOf, levelsOf, MAIN, nameOf, namespaceName } from '../../store/identifier.ts'
import { parseMetadata, type TableMetadata } from '../table-metadata.ts'
import type { TableCommit } from '../updates/updates-between.ts'
import { parseView, type ViewMetadata } from '../views/view-metadata.ts'
import { type Json, namespacePath, type RestClient } from './rest-client.ts'

export type EntryKind = 'table' | 'view'

export interface Loaded<M = TableMetadata> {
  readonly location: string
  /** Snapshots may be those of branches and tags only. */
  readonly metadata: M
}

export interface Listed<P> {
  readonly pointers: readonly P[]
  /** Names of those that the catalog does not let this project load. */
  readonly denied: readonly string[]
}

/** Answers are smaller without the snapshots that nothing names. */
const REFS = { snapshots: 'refs' }
const LOADS_AT_ONCE = 8
const PAGE_OF_VIEWS = 'GET /v1/{prefix}/namespaces/{namespace}/views'
const TRANSACTION = 'POST /v1/{prefix}/transactions/commit'

export class ExternalEntries {
  readonly client: RestClient
  readonly #root: readonly string[]

  /** `root`: levels of the namespace in which the project's tables lie. */
  constructor(client: RestClient, root: readonly string[]) {
    this.client = client
    this.#root = root
  }

  get hasTransactions(): boolean {
    return this.client.has(TRANSACTION)
  }

  #levels(namespace: string): readonly string[] {
    return namespace === MAIN ? this.#root : [...this.#root, ...levelsOf(namespace)]
  }

  #identifier(name: string) {
    const { namespace, name: last } = identifierOf(name)
    const inside = namespace.length === 1 && namespace[0] === MAIN ? [] : namespace
    return { namespace: [...this.#root, ...inside], name: last }
  }

  #path(name: string, kind: EntryKind): string {
    const identifier = this.#identifier(name)
    return `/namespaces/${namespacePath(this.client, identifier.namespace)}/${kind}s/${encode(identifier.name)}`
  }

  #namespacePath(namespace: string): string {
    return `/namespaces/${namespacePath(this.client, this.#levels(namespace))}`
  }

  async #load(name: string): Promise<Json | null> {
    const { status, body } = await this.client.call('GET', this.#path(name, 'table'), { query: REFS, expected: [404] })
    return status === 404 ? null : body
  }

  async table(name: string): Promise<Loaded | null> {
    const body = await this.#load(name)
    return body && readTable(body)
  }

  /** Of tables too that Millrace cannot read: one of others must not hide the rest. */
  async pointer(name: string): Promise<TablePointer | null> {
    const body = await this.#load(name)
    return body && { name, location: locationIn(body), snapshotId: currentIn(body) }
  }

  async view(name: string): Promise<Loaded<ViewMetadata> | null> {
    if (!this.client.has(PAGE_OF_VIEWS)) return null
    const { status, body } = await this.client.call('GET', this.#path(name, 'view'), { expected: [404] })
    if (status === 404) return null
    const location = String(body['metadata-location'])
    return { location, metadata: parseView(printJson(body['metadata']), location) }
  }

  /** Names of all tables or views, sorted. */
  async names(kind: EntryKind): Promise<readonly string[]> {
    if (kind === 'view' && !this.client.has(PAGE_OF_VIEWS)) return []
    const found = await inParallel(
      await this.namespaces(),
      async (namespace) => ({ namespace, listed: await this.client.list(`${this.#namespacePath(namespace)}/${kind}s`, 'identifiers') }),
      LOADS_AT_ONCE,
    )
    return found
      .flatMap(({ namespace, listed }) =>
        ((listed ?? []) as readonly { readonly name: string }[]).map(({ name }) => nameOf({ namespace: levelsOf(namespace), name })),
      )
      .sort()
  }

  pointers(): Promise<Listed<TablePointer>> {
    return this.#listed('table', (name, body) => ({ name, location: locationIn(body), snapshotId: currentIn(body) }))
  }

  viewPointers(): Promise<Listed<ViewPointer>> {
    return this.#listed('view', (name, body) => ({ name, location: locationIn(body) }))
  }

  /** A catalog lists what it does not let everybody load: one such must not hide the others. */
  async #listed<P>(kind: EntryKind, pointerOf: (name: string, body: Json) => P): Promise<Listed<P>> {
    const load = async (name: string) => {
      const { status, body } = await this.client.call('GET', this.#path(name, kind), { query: REFS, expected: [403, 404] })
      return { name, status, body }
    }
    const all = await inParallel(await this.names(kind), load, LOADS_AT_ONCE)
    return {
      pointers: all.flatMap(({ name, status, body }) => (status === 403 || status === 404 ? [] : [pointerOf(name, body)])),
      denied: all.flatMap(({ name, status }) => (status === 403 ? [name] : [])),
    }
  }

  /** Names of namespaces, `main` for the environment's own; sorted. */
  async namespaces(): Promise<readonly string[]> {
    const below = async (levels: readonly string[]): Promise<readonly string[]> => {
      const parent = levels.map((level) => level).join(decodeURIComponent(this.client.separator))
      const children = ((await this.client.list('/namespaces', 'namespaces', { parent })) ?? []) as readonly (readonly string[])[]
      // A namespace `main` below the environment's own would have the names of that one.
      const inside = children.filter((child) => child.length === levels.length + 1 && child[this.#root.length] !== MAIN)
      const deeper = await inParallel(inside, below, LOADS_AT_ONCE)
      return [...inside.map((child) => namespaceName(child.slice(this.#root.length))), ...deeper.flat()]
    }
    return [MAIN, ...(await below(this.#root))].sort()
  }

  /** Null when there is none. */
  async namespace(name: string): Promise<Readonly<Record<string, string>> | null> {
    const { status, body } = await this.client.call('GET', this.#namespacePath(name), { expected: [404] })
    return status === 404 ? null : ((body['properties'] as Record<string, string> | null | undefined) ?? {})
  }

  /** Makes those around it too, those above the environment's own included. False when it was there. */
  async makeNamespace(name: string, properties: Readonly<Record<string, string>> = {}): Promise<boolean> {
    const levels = this.#levels(name)
    if ((await this.namespace(name)) !== null) return false
    let isNew = false
    for (let depth = 1; depth <= levels.length; depth++) {
      const isLast = depth === levels.length
      const body = { namespace: levels.slice(0, depth), properties: isLast ? properties : {} }
      const { status } = await this.client.call('POST', '/namespaces', { body, expected: [409] })
      isNew = status !== 409
    }
    return isNew
  }

  /** False when there is none. */
  async alterNamespace(name: string, updates: Readonly<Record<string, string>>, removals: readonly string[]): Promise<boolean> {
    if (Object.keys(updates).length === 0 && removals.length === 0) return (await this.namespace(name)) !== null
    const { status } = await this.client.call('POST', `${this.#namespacePath(name)}/properties`, {
      body: { updates, removals },
      expected: [404],
    })
    return status !== 404
  }

  async dropNamespace(name: string): Promise<'dropped' | 'unknown' | 'full'> {
    const { status } = await this.client.call('DELETE', this.#namespacePath(name), { expected: [404, 409] })
    return status === 404 ? 'unknown' : status === 409 ? 'full' : 'dropped'
  }

  /** False when there is none. Files stay. */
  async drop(name: string, kind: EntryKind): Promise<boolean> {
    const query = kind === 'table' ? { query: { purgeRequested: 'false' } } : {}
    const { status } = await this.client.call('DELETE', this.#path(name, kind), { ...query, expected: [404] })
    return status !== 404
  }

  /** False when the new name is taken. */
  async rename(name: string, to: string, kind: EntryKind): Promise<boolean> {
    const body = { source: this.#identifier(name), destination: this.#identifier(to) }
    const { status } = await this.client.call('POST', `/${kind}s/rename`, { body, expected: [409] })
    return status !== 409
  }

  /** The table as it is then; null when a requirement failed, or there is no such table. */
  async commit(name: string, commit: TableCommit): Promise<Loaded | null> {
    const body = { identifier: this.#identifier(name), ...commit }
    const { status, body: answer } = await this.client.call('POST', this.#path(name, 'table'), { body, expected: [404, 409] })
    return status === 404 || status === 409 ? null : readTable(answer)
  }

  /** All or none; false when a requirement of one failed. */
  async commitAll(commits: readonly (readonly [name: string, commit: TableCommit])[]): Promise<boolean> {
    const body = { 'table-changes': commits.map(([name, commit]) => ({ identifier: this.#identifier(name), ...commit })) }
    const { status } = await this.client.call('POST', '/transactions/commit', { body, expected: [404, 409] })
    return status !== 404 && status !== 409
  }

  /** Gives a name to metadata that is there; null when the name is taken. */
  async register(name: string, location: string): Promise<Loaded | null> {
    const { namespace, name: last } = this.#identifier(name)
    const body = { name: last, 'metadata-location': location }
    const path = `/namespaces/${namespacePath(this.client, namespace)}/register`
    const { status, body: answer } = await this.client.call('POST', path, { body, expected: [409] })
    return status === 409 ? null : readTable(answer)
  }

  /** Creates a view, or with `before` changes it; the place of its metadata, null for a conflict. */
  async putView(name: string, view: ViewMetadata, change?: TableCommit): Promise<string | null> {
    const { namespace, name: last } = this.#identifier(name)
    const version = view.versions.find((one) => one['version-id'] === view['current-version-id'])!
    const schema = view.schemas.find((one) => one['schema-id'] === version['schema-id'])
    const created = { name: last, location: view.location, schema, 'view-version': version, properties: view.properties }
    const path = change ? this.#path(name, 'view') : `/namespaces/${namespacePath(this.client, namespace)}/views`
    const { status, body } = await this.client.call('POST', path, { body: change ?? created, expected: [404, 409] })
    return status === 404 || status === 409 ? null : String(body['metadata-location'])
  }
}

const locationIn = (body: Json): string => String(body['metadata-location'])

function currentIn(body: Json): string | null {
  const current = (body['metadata'] as Json | undefined)?.['current-snapshot-id'] ?? -1
  return String(current) === '-1' ? null : String(current)
}

function readTable(body: Json): Loaded {
  const location = locationIn(body)
  return { location, metadata: parseMetadata(printJson(body['metadata']), location) }
}

export const currentOf = (metadata: TableMetadata): string | null => {
  const current = metadata['current-snapshot-id']
  return current === -1n ? null : String(current)
}
