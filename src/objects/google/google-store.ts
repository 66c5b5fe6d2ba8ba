// Google Cloud Storage by its JSON interface: https://cloud.google.com/storage/docs/json_api. A new object is made under the
// condition that none has its name (generation 0), large ones by a resumable upload, whose parts follow each other.
import { MillraceError } from '../../core/errors.ts'
import { uuidV7 } from '../../core/random.ts'
import { chunksOf, encode, encodePath, encodeQuery, type HttpParts, type HttpRequest, type Reply, send, sendForStream } from '../http.ts'
import { below, type ObjectFacts, type ObjectStore, type StoredObject } from '../object-store.ts'
import { type Part, partsOf, WHOLE_BYTES_MAX } from '../parts.ts'
import { refusal } from '../refusal.ts'
import type { GoogleAuthorization } from './credentials.ts'
import { presignUrl } from './sign.ts'

export interface GoogleOptions {
  readonly bucket: string
  readonly endpoint: string
  /** Null for an emulator that wants none. */
  readonly authorization: GoogleAuthorization | null
}

interface Resource {
  readonly name: string
  readonly size: string
  readonly updated: string
  readonly generation: string
  readonly metadata?: Readonly<Record<string, string>>
}

interface Call {
  readonly method: string
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | string
}

const WRITE_ID = 'millrace-write'

export function openGoogle(parts: HttpParts, { bucket, endpoint, authorization }: GoogleOptions): ObjectStore {
  const base = `${endpoint.replace(/\/$/, '')}/storage/v1/b/${bucket}/o`
  const uploads = `${endpoint.replace(/\/$/, '')}/upload/storage/v1/b/${bucket}/o`
  const prefix = `gs://${bucket}/`
  const nameOf = (path: string): string => {
    if (!path.startsWith(prefix)) throw new MillraceError('MR_ASSERT', `cannot be: ${path} is not in the bucket ${bucket}`)
    return path.slice(prefix.length)
  }
  const urlOf = (path: string): string => `${base}/${encode(nameOf(path))}`
  const authorized = async ({ headers = {}, ...call }: Call): Promise<HttpRequest> => ({
    ...call,
    headers: authorization ? { ...headers, authorization: `Bearer ${await authorization.token()}` } : headers,
  })
  const ask = (path: string, call: Call): Promise<Reply> => send(parts, path, () => authorized(call))
  /** `inBucket`: of a request that is about the bucket, so that 404 is about nothing else. */
  const refused = (path: string, status: number, body: string, inBucket = false): MillraceError => {
    const message = /"message":\s*"([^"]*)"/.exec(body)?.[1] ?? body.slice(0, 200).trim()
    const noBucket = status === 404 && (inBucket || /bucket/i.test(message))
    const [place, credentials] = [`the bucket "${bucket}"`, 'the service account, or of GOOGLE_APPLICATION_CREDENTIALS']
    return refusal({ path, place, status, code: noBucket ? 'NoSuchBucket' : '', message, credentials })
  }
  /** About the bucket: an upload begins, a listing. */
  const must = async (path: string, call: Call, wanted = 200): Promise<Reply> => {
    const reply = await ask(path, call)
    if (reply.status === wanted) return reply
    throw refused(path, reply.status, reply.body.toString('utf8'), true)
  }
  const factsOf = ({ name, size, updated, generation }: Resource): ObjectFacts => ({
    path: `${prefix}${name}`,
    sizeBytes: Number(size),
    modifiedMs: Date.parse(updated),
    etag: generation,
  })
  const resource = async (path: string): Promise<Resource | undefined> => {
    const reply = await ask(path, { method: 'GET', url: urlOf(path) })
    if (reply.status === 200) return JSON.parse(reply.body.toString('utf8')) as Resource
    const error = refused(path, reply.status, reply.body.toString('utf8'))
    if (error.code === 'MR_OBJECT_MISSING') return undefined
    throw error
  }
  const isOurs = async (path: string, writeId: string): Promise<boolean> => (await resource(path))?.metadata?.[WRITE_ID] === writeId
  /** A refusal of the step that makes the object may be about an earlier try of itself. */
  const made = async (path: string, reply: Reply, writeId: string): Promise<void> => {
    if (reply.status === 200 || reply.status === 201) return
    if (reply.attempt > 1 && (await isOurs(path, writeId))) return
    throw refused(path, reply.status, reply.body.toString('utf8'), true)
  }
  const newUpload = (path: string, uploadType: string) => {
    const writeId = uuidV7(parts.clock.nowMs(), parts.random)
    const name = nameOf(path)
    const url = `${uploads}?${encodeQuery({ uploadType, name, ifGenerationMatch: '0' })}`
    return { writeId, url, about: JSON.stringify({ name, contentType: 'application/octet-stream', metadata: { [WRITE_ID]: writeId } }) }
  }

  async function put(path: string, content: Uint8Array): Promise<void> {
    const { writeId, url, about } = newUpload(path, 'multipart')
    const border = `millrace-${writeId}`
    const body = Buffer.concat([
      Buffer.from(
        `--${border}\r\ncontent-type: application/json\r\n\r\n${about}\r\n--${border}\r\ncontent-type: application/octet-stream\r\n\r\n`,
      ),
      content,
      Buffer.from(`\r\n--${border}--\r\n`),
    ])
    await made(
      path,
      await ask(path, { method: 'POST', url, headers: { 'content-type': `multipart/related; boundary=${border}` }, body }),
      writeId,
    )
  }

  async function putParts(path: string, sizeBytes: number, read: (part: Part) => Promise<Uint8Array>): Promise<void> {
    const { writeId, url, about } = newUpload(path, 'resumable')
    const { headers } = await must(path, { method: 'POST', url, headers: { 'content-type': 'application/json' }, body: about })
    const session = headers.get('location') ?? ''
    const all = partsOf(sizeBytes)
    for (const part of all) {
      const range = `bytes ${part.start}-${part.start + part.length - 1}/${sizeBytes}`
      const reply = await ask(path, { method: 'PUT', url: session, headers: { 'content-range': range }, body: await read(part) })
      if (part.index === all.length - 1) await made(path, reply, writeId)
      else if (reply.status !== 308) throw refused(path, reply.status, reply.body.toString('utf8'))
    }
  }

  async function* list(directory: string): AsyncIterable<StoredObject> {
    for (let pageToken: string | undefined = ''; pageToken !== undefined; ) {
      const query: Record<string, string> = { prefix: nameOf(below(directory)), ...(pageToken ? { pageToken } : {}) }
      const reply: Reply = await must(directory, { method: 'GET', url: `${base}?${encodeQuery(query)}` })
      const page = JSON.parse(reply.body.toString('utf8')) as { items?: Resource[]; nextPageToken?: string }
      for (const item of page.items ?? []) if (!item.name.endsWith('/')) yield factsOf(item)
      pageToken = page.nextPageToken || undefined
    }
  }

  const media = (path: string, headers: Record<string, string> = {}): Call => ({ method: 'GET', url: `${urlOf(path)}?alt=media`, headers })
  return {
    async read(path, range) {
      const reply = await ask(path, media(path, range ? { range: `bytes=${range.start}-${range.start + range.length - 1}` } : {}))
      if (reply.status === 200 || reply.status === 206) return reply.body
      if (reply.status === 416) return Buffer.alloc(0)
      throw refused(path, reply.status, reply.body.toString('utf8'))
    },
    async stream(path) {
      const response = await sendForStream(parts, path, () => authorized(media(path)))
      if (response.status !== 200) throw refused(path, response.status, await response.text())
      const sizeBytes = Number(response.headers.get('content-length'))
      return { etag: response.headers.get('x-goog-generation') ?? '', sizeBytes, chunks: chunksOf(path, response, sizeBytes) }
    },
    put,
    async upload(path, from) {
      const sizeBytes = await from.size()
      if (sizeBytes <= WHOLE_BYTES_MAX) await put(path, await from.read(0, sizeBytes))
      else await putParts(path, sizeBytes, ({ start, length }) => from.read(start, length))
    },
    list,
    async stat(path) {
      const found = await resource(path)
      return found && factsOf(found)
    },
    async remove(path) {
      const { status, body } = await ask(path, { method: 'DELETE', url: urlOf(path) })
      if (status >= 300 && status !== 404) throw refused(path, status, body.toString('utf8'))
    },
    makeDirectory: async () => {},
    async presign(path, seconds) {
      const key = await authorization?.key()
      if (!key) return undefined
      return presignUrl(`${endpoint.replace(/\/$/, '')}/${bucket}/${encodePath(nameOf(path))}`, seconds, parts.clock.nowMs(), key)
    },
  }
}
