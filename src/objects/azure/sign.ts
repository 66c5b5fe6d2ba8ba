// Shared Key authorization and shared access signatures of Azure Blob Storage:
// https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key, create-service-sas, create-user-delegation-sas.
// Pure: time and key are given.
import { createHmac } from 'node:crypto'

export interface AzureRequest {
  readonly method: string
  /** Of the blob, percent-encoded, without query. */
  readonly url: string
  readonly query: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string>>
  readonly bodyBytes: number
}

export const SERVICE_VERSION = '2021-12-02'

const hmac = (key: string, text: string): string => createHmac('sha256', Buffer.from(key, 'base64')).update(text, 'utf8').digest('base64')

/** The `authorization` header; `headers` has `x-ms-date` and `x-ms-version` already. */
export function sharedKey(account: string, key: string, { method, url, query, headers, bodyBytes }: AzureRequest): string {
  const lower = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
  const standard = [
    'content-encoding',
    'content-language',
    'content-length',
    'content-md5',
    'content-type',
    'date',
    'if-modified-since',
    'if-match',
    'if-none-match',
    'if-unmodified-since',
    'range',
  ].map((name) => (name === 'content-length' ? (bodyBytes > 0 ? String(bodyBytes) : '') : (lower.get(name) ?? '')))
  const own = [...lower].filter(([name]) => name.startsWith('x-ms-')).sort(([a], [b]) => (a < b ? -1 : 1))
  const resource = [
    `/${account}${new URL(url).pathname}`,
    ...Object.keys(query)
      .sort()
      .map((name) => `${name.toLowerCase()}:${query[name]}`),
  ]
  const text = [method, ...standard, ...own.map(([name, value]) => `${name}:${value}`), ...resource].join('\n')
  return `SharedKey ${account}:${hmac(key, text)}`
}

export interface SasOptions {
  readonly account: string
  readonly key: string
  readonly container: string
  readonly blob: string
  readonly endsMs: number
}

const secondsOf = (ms: number): string => new Date(ms).toISOString().replace(/\.\d{3}/, '')

/** Query of a URL by which a blob may be read until then. */
export function readSas({ account, key, container, blob, endsMs }: SasOptions): Record<string, string> {
  const query = { sp: 'r', se: secondsOf(endsMs), spr: 'https,http', sv: SERVICE_VERSION, sr: 'b' }
  return { ...query, sig: hmac(key, stringToSign(query, `/blob/${account}/${container}/${blob}`)) }
}

/** A key that the service gives to whoever has a token of Microsoft Entra, to sign with in its name. */
export interface DelegationKey {
  readonly skoid: string
  readonly sktid: string
  readonly skt: string
  readonly ske: string
  readonly sks: string
  readonly skv: string
  readonly value: string
}

export interface DirectorySasOptions {
  readonly account: string
  readonly container: string
  /** Without slashes around it. */
  readonly directory: string
  /** Letters in the order of the specification: `rl`, `racwdl`. */
  readonly permissions: string
  readonly endsMs: number
  /** The account's, or one that is delegated. */
  readonly key: string | DelegationKey
}

/** Query for all that is below a directory, until then: of accounts with a hierarchical namespace, which others do not know. */
export function directorySas({ account, container, directory, permissions, endsMs, key }: DirectorySasOptions): Record<string, string> {
  const { value, ...by } = typeof key === 'string' ? { value: key } : key
  const query = {
    sp: permissions,
    se: secondsOf(endsMs),
    spr: 'https',
    sv: SERVICE_VERSION,
    sr: 'd',
    sdd: String(directory.split('/').length),
    ...by,
  }
  return { ...query, sig: hmac(value, stringToSign(query, `/blob/${account}/${container}/${directory}`)) }
}

/** Of a signature by the account's key, or, where the query says whose key it is, by a delegated one. */
function stringToSign(query: Readonly<Record<string, string>>, resource: string): string {
  const whose = 'skoid' in query ? ['skoid', 'sktid', 'skt', 'ske', 'sks', 'skv', 'saoid', 'suoid', 'scid'] : ['si']
  const after = [...whose, 'sip', 'spr', 'sv', 'sr', 'snapshot', 'ses', 'rscc', 'rscd', 'rsce', 'rscl', 'rsct']
  const fields = (names: readonly string[]): string[] => names.map((name) => query[name] ?? '')
  return [...fields(['sp', 'st', 'se']), resource, ...fields(after)].join('\n')
}
