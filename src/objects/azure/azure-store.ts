// Azure Blob Storage by its REST interface: https://learn.microsoft.com/rest/api/storageservices/blob-service-rest-api. URIs are
// `abfss://container@account.dfs.core.windows.net/path`, which other engines read; a new blob is put under the condition
// that there is none, large ones as a list of blocks.
import { MillraceError } from '../../core/errors.ts'
import { uuidV7 } from '../../core/random.ts'
import {
  chunksOf,
  element,
  elements,
  encodePath,
  encodeQuery,
  type HttpParts,
  type HttpRequest,
  type Reply,
  send,
  sendForStream,
} from '../http.ts'
import { below, type ObjectFacts, type ObjectStore, type StoredObject } from '../object-store.ts'
import { inParallel, type Part, partsOf, WHOLE_BYTES_MAX } from '../parts.ts'
import { refusal } from '../refusal.ts'
import type { AzureAuthorization } from './credentials.ts'
import { azureRequest } from './request.ts'
import { readSas } from './sign.ts'

export interface AzureOptions {
  readonly account: string
  readonly container: string
  /** Of the blob service: `https://<account>.blob.core.windows.net`. */
  readonly endpoint: string
  /** What URIs of the container begin with, with a slash at the end. */
  readonly prefix: string
  readonly authorization: AzureAuthorization
}

const WRITE_ID = 'x-ms-meta-millracewrite'

interface Call {
  readonly method: string
  readonly blob: string
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | string
}

export function openAzure(parts: HttpParts, options: AzureOptions): ObjectStore {
  const { account, container, prefix, authorization } = options
  const base = `${options.endpoint.replace(/\/$/, '')}/${container}`
  const urlOf = (blob: string): string => (blob === '' ? base : `${base}/${encodePath(blob)}`)
  const blobOf = (path: string): string => {
    if (!path.startsWith(prefix)) throw new MillraceError('MR_ASSERT', `cannot be: ${path} is not in the container ${container}`)
    return path.slice(prefix.length)
  }

  const signed = ({ blob, ...call }: Call): Promise<HttpRequest> => azureRequest(parts.clock, options, { ...call, url: urlOf(blob) })
  const ask = (path: string, call: Call): Promise<Reply> => send(parts, path, () => signed(call))
  const refused = (path: string, status: number, headers: Headers, body: string): MillraceError =>
    refusal({
      path,
      place: `the container "${container}"`,
      status,
      code: headers.get('x-ms-error-code') ?? element(body, 'Code') ?? '',
      message: (element(body, 'Message') ?? '').split('\n')[0]!,
      credentials: `the account "${account}"`,
    })
  const must = async (path: string, call: Call, wanted: number): Promise<Reply> => {
    const reply = await ask(path, call)
    if (reply.status === wanted) return reply
    throw refused(path, reply.status, reply.headers, reply.body.toString('utf8'))
  }
  const head = async (path: string): Promise<(ObjectFacts & { writeId: string | null }) | undefined> => {
    const { status, headers, body } = await ask(path, { method: 'HEAD', blob: blobOf(path) })
    if (status === 404 && headers.get('x-ms-error-code') !== 'ContainerNotFound') return undefined
    if (status !== 200) throw refused(path, status, headers, body.toString('utf8'))
    return {
      path,
      sizeBytes: Number(headers.get('content-length')),
      modifiedMs: Date.parse(headers.get('last-modified') ?? ''),
      etag: headers.get('etag') ?? '',
      writeId: headers.get(WRITE_ID),
    }
  }
  /** The last step of a write, which makes the blob: its refusal may be about an earlier try of itself. */
  async function publish(path: string, call: Omit<Call, 'method' | 'blob'>): Promise<void> {
    const writeId = uuidV7(parts.clock.nowMs(), parts.random)
    const headers = { ...call.headers, 'if-none-match': '*', [WRITE_ID]: writeId }
    const reply = await ask(path, { ...call, method: 'PUT', blob: blobOf(path), headers })
    if (reply.status === 201) return
    if (reply.attempt > 1 && (await head(path))?.writeId === writeId) return
    throw refused(path, reply.status, reply.headers, reply.body.toString('utf8'))
  }
  const put = (path: string, content: Uint8Array): Promise<void> =>
    publish(path, { headers: { 'x-ms-blob-type': 'BlockBlob' }, body: content })

  // Blocks that no list names go by themselves after a week.
  async function putBlocks(path: string, sizeBytes: number, read: (part: Part) => Promise<Uint8Array>): Promise<void> {
    const upload = uuidV7(parts.clock.nowMs(), parts.random)
    const ids = await inParallel(partsOf(sizeBytes), async (part) => {
      const id = Buffer.from(`${upload}-${String(part.index).padStart(5, '0')}`).toString('base64')
      const body = await read(part)
      await must(path, { method: 'PUT', blob: blobOf(path), query: { comp: 'block', blockid: id }, body }, 201)
      return id
    })
    const list = ids.map((id) => `<Latest>${id}</Latest>`).join('')
    await publish(path, { query: { comp: 'blocklist' }, body: `<?xml version="1.0" encoding="utf-8"?><BlockList>${list}</BlockList>` })
  }

  async function* list(directory: string): AsyncIterable<StoredObject> {
    for (let marker: string | undefined = ''; marker !== undefined; ) {
      const query: Record<string, string> = {
        restype: 'container',
        comp: 'list',
        prefix: blobOf(below(directory)),
        ...(marker ? { marker } : {}),
      }
      const text: string = (await must(directory, { method: 'GET', blob: '', query }, 200)).body.toString('utf8')
      for (const entry of elements(text, 'Blob')) {
        const name = element(entry, 'Name') ?? ''
        // Directories of accounts with a hierarchical namespace.
        if (element(entry, 'hdi_isfolder') === 'true' || element(entry, 'ResourceType') === 'directory') continue
        yield {
          path: `${prefix}${name}`,
          sizeBytes: Number(element(entry, 'Content-Length')),
          modifiedMs: Date.parse(element(entry, 'Last-Modified') ?? ''),
        }
      }
      marker = element(text, 'NextMarker') || undefined
    }
  }

  return {
    async read(path, range) {
      const headers = range ? { 'x-ms-range': `bytes=${range.start}-${range.start + range.length - 1}` } : {}
      const reply = await ask(path, { method: 'GET', blob: blobOf(path), headers })
      if (reply.status === 200 || reply.status === 206) return reply.body
      if (reply.status === 416) return Buffer.alloc(0)
      throw refused(path, reply.status, reply.headers, reply.body.toString('utf8'))
    },
    async stream(path) {
      const response = await sendForStream(parts, path, () => signed({ method: 'GET', blob: blobOf(path) }))
      if (response.status !== 200) throw refused(path, response.status, response.headers, await response.text())
      const sizeBytes = Number(response.headers.get('content-length'))
      return { etag: response.headers.get('etag') ?? '', sizeBytes, chunks: chunksOf(path, response, sizeBytes) }
    },
    put,
    async upload(path, from) {
      const sizeBytes = await from.size()
      if (sizeBytes <= WHOLE_BYTES_MAX) await put(path, await from.read(0, sizeBytes))
      else await putBlocks(path, sizeBytes, ({ start, length }) => from.read(start, length))
    },
    list,
    async stat(path) {
      const found = await head(path)
      return found && { path, sizeBytes: found.sizeBytes, modifiedMs: found.modifiedMs, etag: found.etag }
    },
    async remove(path) {
      const { status, headers, body } = await ask(path, { method: 'DELETE', blob: blobOf(path) })
      if (status !== 202 && status !== 404) throw refused(path, status, headers, body.toString('utf8'))
    },
    makeDirectory: async () => {},
    async presign(path, seconds) {
      if (authorization.kind !== 'key') return undefined
      const blob = blobOf(path)
      const endsMs = parts.clock.nowMs() + seconds * 1_000
      return `${urlOf(blob)}?${encodeQuery(readSas({ account, key: authorization.key, container, blob, endsMs }))}`
    },
  }
}
