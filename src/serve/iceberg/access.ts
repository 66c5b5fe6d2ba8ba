// What a loaded table tells its client about reaching the files: where the store is, and either credentials for this table alone,
// for a client that asks for them (`X-Iceberg-Access-Delegation: vended-credentials`), or where to have requests signed.
import { mayCommit } from '../../govern/outside.ts'
import { toPath } from '../../lake/location.ts'
import { type Identifier, identifierOf } from '../../store/identifier.ts'
import type { Caller } from '../answer.ts'
import { type Call, type IcebergParts, shown } from './call.ts'

export const SIGN_PATH = '/v1/namespaces/{namespace}/tables/{table}/sign'
export const CREDENTIALS_PATH = '/v1/namespaces/{namespace}/tables/{table}/credentials'

/** Of a table and of who asks for it. */
export interface Reached {
  readonly name: string
  readonly location: string
  readonly caller: Caller
}

/** As the specification has it: the credentials for what begins with `prefix`. */
export interface StorageCredential {
  readonly prefix: string
  readonly config: Readonly<Record<string, string>>
}

export interface Access {
  readonly config: Readonly<Record<string, string>>
  readonly credentials: readonly StorageCredential[]
}

/** Whether a client takes credentials. Clients that take nothing in particular get what needs none. */
export const wantsCredentials = ({ headers }: Pick<Call, 'headers'>): boolean =>
  String(headers['x-iceberg-access-delegation'] ?? '')
    .split(',')
    .some((mechanism) => mechanism.trim().toLowerCase() === 'vended-credentials')

/** What a client must know to reach the files of a table. */
export async function accessOf(parts: IcebergParts, reached: Reached, isVended: boolean): Promise<Access> {
  const staged = await stagedAccessOf(parts, reached, isVended)
  if (staged.credentials.length === 0) return { config: signingOf(parts, reached), credentials: [] }
  const refresh = { [parts.vendor!.refreshProperty]: pathOf(CREDENTIALS_PATH, identifierOf(reached.name)) }
  return { ...staged, config: { ...staged.config, ...refresh } }
}

/** The same for a table that is not there yet: nothing is signed for it, and there is no place to fetch the next credentials from. */
export async function stagedAccessOf(parts: IcebergParts, reached: Reached, isVended: boolean): Promise<Access> {
  const credential = isVended ? await credentialOf(parts, reached) : undefined
  return credential
    ? { config: { ...parts.vendor!.properties, ...credential.config }, credentials: [credential] }
    : { config: {}, credentials: [] }
}

/** Where a client that gets no credentials has its requests signed. */
export function signingOf({ signer }: IcebergParts, { name, location }: Pick<Reached, 'name' | 'location'>): Access['config'] {
  if (!signer || !location.startsWith(signer.prefix)) return {}
  return { ...signer.properties, 's3.signer.endpoint': pathOf(SIGN_PATH, identifierOf(name)) }
}

/** Credentials for a table that the caller may read: for writing too when it may commit. Undefined when there can be none. */
export async function credentialOf(parts: IcebergParts, { name, location, caller }: Reached): Promise<StorageCredential | undefined> {
  const { vendor } = parts
  const directory = toPath(location).replace(/\/+$/, '')
  if (!vendor || !directory.startsWith(vendor.prefix)) return undefined
  const isWrite = mayCommit(parts.manifest(), caller, name)
  const vended = await vendor.vend({ directory, isWrite, user: caller.user })
  if (!vended) return undefined
  await parts.record(caller, isWrite ? 'iceberg:credentials read write' : 'iceberg:credentials read', shown(identifierOf(name)), 'ok')
  return { prefix: directory, config: vended.properties }
}

const pathOf = (path: string, { namespace, name }: Identifier): string =>
  path.slice(1).replace('{namespace}', namespace.map(encodeURIComponent).join('%1F')).replace('{table}', encodeURIComponent(name))
