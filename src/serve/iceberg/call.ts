// One request to the Iceberg catalog as its handlers see it, and what they answer: plain data, so that the same answer can be
// given again for a request that comes twice.
import type { Clock } from '../../core/clock.ts'
import { MillraceError } from '../../core/errors.ts'
import type { Manifest } from '../../define/manifest.ts'
import type { Lake } from '../../lake/open-lake.ts'
import type { LakeTable } from '../../lake/types.ts'
import type { Named } from '../../lake/update-tables.ts'
import type { CredentialVendor } from '../../objects/credential-vendor.ts'
import type { RequestSigner } from '../../objects/request-signer.ts'
import type { Finished } from '../../store/catalog.ts'
import { type Identifier, nameOf, namespaceName } from '../../store/identifier.ts'
import type { Answerer, Caller } from '../answer.ts'

export interface IcebergParts {
  readonly clock: Clock
  readonly lake: Lake
  readonly answerer: Answerer
  /** Signs requests to the store that tables lie in, where it can. */
  readonly signer?: RequestSigner
  /** Gives clients credentials for the files of a table, where the project says so. */
  readonly vendor?: CredentialVendor
  manifest(): Manifest
  /** Tells what reads a table that it has a new state. */
  onCommitted(table: LakeTable): void
  /** Records what a caller did or was refused. */
  record(caller: Caller, action: string, object: string, outcome: string): Promise<void>
}

export interface Call {
  readonly caller: Caller
  /** Levels of the namespace of the path, and the name of the table or view. */
  readonly namespace: readonly string[]
  readonly entry: string
  readonly query: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** The body, an object. */
  readonly body: Readonly<Record<string, unknown>>
  /** What to keep together with the change, so that the request is not carried out twice. */
  finish(replay: Replay): Finished | undefined
}

/** How a finished request is answered again: as it was, or with the table or view as it is now. */
export type Replay = Reply | { readonly table: Identifier } | { readonly view: Identifier }

export interface Reply {
  readonly status: number
  /** JSON text. */
  readonly text?: string
  readonly headers?: Readonly<Record<string, string>>
}

export type Handler = (parts: IcebergParts, call: Call) => Promise<Reply>

export interface Route {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'DELETE'
  /** As the specification writes it, without its prefix: `/v1/namespaces/{namespace}/tables/{table}`. */
  readonly path: string
  readonly handle: Handler
  /** Changes nothing, though it is a POST: neither recorded nor kept. */
  readonly isReport?: true
}

export const NO_CONTENT: Reply = { status: 204 }

/** How messages of the protocol call a table, a view or a namespace. */
export const shown = ({ namespace, name }: Identifier): string => [...namespace, name].join('.')

export const named = (identifier: Identifier): Named => ({ name: nameOf(identifier), shown: shown(identifier) })

/** The table or view of the path. */
export const target = ({ namespace, entry }: Call): Identifier => ({ namespace, name: entry })

/** An identifier of a body. @throws MR_USAGE */
export function readIdentifier(json: unknown): Identifier {
  const { namespace, name } = (json ?? {}) as { namespace?: unknown; name?: unknown }
  return { namespace: readLevels(namespace), name: readName(name) }
}

export function readName(json: unknown): string {
  if (typeof json === 'string' && json !== '') return json
  throw badRequest('a name is missing or empty')
}

export function readLevels(json: unknown): string[] {
  if (Array.isArray(json) && json.length > 0 && json.every((level) => typeof level === 'string' && level !== '')) return json as string[]
  throw badRequest('a namespace is a list of names')
}

export const badRequest = (message: string): MillraceError =>
  new MillraceError('MR_USAGE', message, { fix: 'see the Iceberg REST specification' })

/** @throws MR_LAKE_NAMESPACE_UNKNOWN */
export async function mustExist({ lake }: IcebergParts, levels: readonly string[]): Promise<void> {
  const name = namespaceName(levels)
  if ((await lake.catalog.namespaces()).some((namespace) => namespace.name === name)) return
  throw namespaceUnknown(levels)
}

export const namespaceUnknown = (levels: readonly string[]): MillraceError =>
  new MillraceError('MR_LAKE_NAMESPACE_UNKNOWN', `Namespace does not exist: ${levels.join('.')}`, { fix: 'create it first' })
