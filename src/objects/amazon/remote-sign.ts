// Signs requests to S3 for clients of the catalog (Iceberg's "remote signing"). Only requests for single objects and listings are
// understood; what else S3 can do to an object by a query or a header, copying from elsewhere above all, is refused.
import type { Clock } from '../../core/clock.ts'
import type { AskedRequest, RequestSigner } from '../request-signer.ts'
import type { S3Options } from './s3-store.ts'
import { sign } from './sign.ts'

const OBJECT_QUERY = new Set(['uploads', 'uploadId', 'partNumber', 'x-id'])
const LIST_QUERY = new Set([
  'list-type',
  'prefix',
  'delimiter',
  'continuation-token',
  'encoding-type',
  'fetch-owner',
  'max-keys',
  'start-after',
  'x-id',
])
const WRITES = new Set(['PUT', 'POST', 'DELETE'])
const READS = new Set(['GET', 'HEAD'])
/** Headers of S3 that a client may send with its request; `x-amz-meta-*` too. */
const HEADERS =
  /^x-amz-(content-sha256|date|user-agent|meta-.*|checksum-.*|sdk-checksum-algorithm|decoded-content-length|trailer|server-side-encryption.*|storage-class)$/

export function openRemoteSigner(clock: Clock, options: S3Options): RequestSigner {
  const { bucket, region } = options
  const base = new URL(options.endpoint ?? `https://s3.${region}.amazonaws.com`)
  const prefix = `s3://${bucket}/`
  /** The key of a URL of the bucket, '' for the bucket itself; null for another place. */
  const keyOf = (url: URL): string | null => {
    if (url.protocol !== base.protocol) return null
    const path = decodeURIComponent(url.pathname)
    if (url.host === `${bucket}.${base.host}`) return path.slice(1)
    if (url.host !== base.host || !`${path}/`.startsWith(`/${bucket}/`)) return null
    return path.slice(bucket.length + 2)
  }
  const isKnown = (url: URL, known: ReadonlySet<string>): boolean => [...url.searchParams.keys()].every((name) => known.has(name))
  return {
    prefix,
    properties: {
      ...(options.endpoint ? { 's3.endpoint': options.endpoint } : {}),
      's3.region': region,
      'client.region': region,
      's3.path-style-access': String(options.pathStyle),
      's3.remote-signing-enabled': 'true',
      's3.signer': 'S3V4RestSigner',
      // The one of PyIceberg's that can ask a signer.
      'py-io-impl': 'pyiceberg.io.fsspec.FsspecFileIO',
    },
    placeOf({ method, uri, headers }) {
      if (!URL.canParse(uri) || !(WRITES.has(method) || READS.has(method))) return null
      if (Object.keys(headers).some((name) => /^x-amz-/i.test(name) && !HEADERS.test(name.toLowerCase()))) return null
      const url = new URL(uri)
      const key = keyOf(url)
      if (key === null) return null
      if (key !== '') return isKnown(url, OBJECT_QUERY) ? { path: `${prefix}${key}`, isWrite: WRITES.has(method) } : null
      const listed = url.searchParams.getAll('prefix')
      if (method !== 'GET' || listed.length !== 1 || !isKnown(url, LIST_QUERY)) return null
      return { path: `${prefix}${listed[0]}`, isWrite: false }
    },
    async sign({ method, uri, headers }: AskedRequest) {
      const url = new URL(uri)
      const own = Object.entries(headers).filter(([name]) => /^x-amz-(?!date$|content-sha256$|security-token$)/i.test(name))
      const given = Object.entries(headers).find(([name]) => name.toLowerCase() === 'x-amz-content-sha256')
      const signed = sign(
        {
          method,
          url: `${url.origin}${url.pathname}`,
          query: Object.fromEntries(url.searchParams),
          headers: Object.fromEntries(own.map(([name, values]) => [name.toLowerCase(), values.join(',')])),
        },
        {
          credentials: await options.credentials(),
          region,
          service: 's3',
          nowMs: clock.nowMs(),
          payload: given?.[1][0] ?? 'UNSIGNED-PAYLOAD',
        },
      )
      return { uri: signed.url, headers: Object.fromEntries(Object.entries(signed.headers).map(([name, value]) => [name, [value]])) }
    },
  }
}
