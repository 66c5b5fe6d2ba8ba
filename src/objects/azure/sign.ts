// Shared Key authorization and service SAS of Azure Blob Storage: https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key
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

/** Query of a URL by which a blob may be read until then. */
export function readSas({ account, key, container, blob, endsMs }: SasOptions): Record<string, string> {
  const ends = new Date(endsMs).toISOString().replace(/\.\d{3}/, '')
  const fields = [
    'r',
    '',
    ends,
    `/blob/${account}/${container}/${blob}`,
    '',
    '',
    'https,http',
    SERVICE_VERSION,
    'b',
    '',
    '',
    '',
    '',
    '',
    '',
    '',
  ]
  return { sp: 'r', se: ends, spr: 'https,http', sv: SERVICE_VERSION, sr: 'b', sig: hmac(key, fields.join('\n')) }
}
