// S3 and what speaks its protocol: https://docs.aws.amazon.com/AmazonS3/latest/API/. A new object is put under the condition
// that none has its name; each write carries an id of its own, by which a repetition after a lost answer knows its own work.
import { MillraceError } from '../../core/errors.ts'
import { uuidV7 } from '../../core/random.ts'
import { chunksOf, element, elements, encodePath, type HttpParts, type HttpRequest, type Reply, send, sendForStream } from '../http.ts'
import { below, type ObjectFacts, type ObjectStore, type StoredObject } from '../object-store.ts'
import { inParallel, type Part, partsOf, WHOLE_BYTES_MAX } from '../parts.ts'
import { refusal } from '../refusal.ts'
import { type AwsCredentials, presignUrl, type SignedRequest, sign } from './sign.ts'

export interface S3Options {
  readonly bucket: string
  readonly region: string
  /** Of a compatible store: `http://127.0.0.1:9000`. Default: Amazon's. */
  readonly endpoint?: string
  /** Whether the bucket is part of the path rather than of the host's name. */
  readonly pathStyle: boolean
  readonly credentials: () => Promise<AwsCredentials>
  /** How messages call where the credentials come from. */
  readonly credentialsFrom: string
}

const WRITE_ID = 'x-amz-meta-millrace-write'

/** Words of a store that mean "try again". */
const isBusy = (status: number, body: string): boolean =>
  (status === 409 && body.includes('ConditionalRequestConflict')) || (status === 400 && body.includes('<Code>RequestTimeout</Code>'))

type Call = Omit<SignedRequest, 'url' | 'query' | 'headers'> & {
  readonly key: string
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
}

export function openS3(parts: HttpParts, options: S3Options): ObjectStore {
  const { bucket, region } = options
  const base = new URL(options.endpoint ?? `https://s3.${region}.amazonaws.com`)
  const root = options.pathStyle ? `${base.origin}/${bucket}` : `${base.protocol}//${bucket}.${base.host}`
  const urlOf = (key: string): string => `${root}/${encodePath(key)}`
  const signing = async () => ({ credentials: await options.credentials(), region, service: 's3', nowMs: parts.clock.nowMs() })

  const keyOf = (path: string): string => {
    const prefix = `s3://${bucket}/`
    if (!path.startsWith(prefix)) throw new MillraceError('MR_ASSERT', `cannot be: ${path} is not in the bucket ${bucket}`)
    return path.slice(prefix.length)
  }
  const signed = async ({ key, query = {}, headers = {}, ...call }: Call): Promise<HttpRequest> => ({
    method: call.method,
    ...sign({ ...call, url: urlOf(key), query, headers }, await signing()),
    ...(call.body === undefined ? {} : { body: call.body }),
  })
  const ask = (path: string, call: Call): Promise<Reply> => send(parts, path, () => signed(call), isBusy)
  const refused = (path: string, status: number, body: string, code?: string): MillraceError =>
    refusal({
      path,
      place: `the bucket "${bucket}"`,
      status,
      code: code ?? element(body, 'Code') ?? '',
      message: element(body, 'Message') ?? '',
      credentials: options.credentialsFrom,
    })
  const must = async (path: string, call: Call, ...wanted: number[]): Promise<Reply> => {
    const reply = await ask(path, call)
    if (wanted.includes(reply.status)) return reply
    throw refused(path, reply.status, reply.body.toString('utf8'))
  }
  const head = async (path: string): Promise<(ObjectFacts & { writeId: string | null }) | undefined> => {
    const { status, headers, body } = await ask(path, { method: 'HEAD', key: keyOf(path) })
    // A HEAD has no body that would say whether the object is missing or its bucket.
    if (status === 404) return undefined
    if (status !== 200) throw refused(path, status, body.toString('utf8'))
    return {
      path,
      sizeBytes: Number(headers.get('content-length')),
      modifiedMs: Date.parse(headers.get('last-modified') ?? ''),
      etag: headers.get('etag') ?? '',
      writeId: headers.get(WRITE_ID),
    }
  }
  /** Whether what is there under the name is what an earlier try of this very write left. */
  const isOurs = async (path: string, writeId: string): Promise<boolean> => (await head(path))?.writeId === writeId

  async function put(path: string, content: Uint8Array): Promise<void> {
    const writeId = uuidV7(parts.clock.nowMs(), parts.random)
    const headers = { 'if-none-match': '*', [WRITE_ID]: writeId }
    const reply = await ask(path, { method: 'PUT', key: keyOf(path), headers, body: content })
    if (reply.status === 200) return
    if (reply.status === 412 && reply.attempt > 1 && (await isOurs(path, writeId))) return
    throw refused(path, reply.status, reply.body.toString('utf8'))
  }

  async function putParts(path: string, sizeBytes: number, read: (part: Part) => Promise<Uint8Array>): Promise<void> {
    const key = keyOf(path)
    const writeId = uuidV7(parts.clock.nowMs(), parts.random)
    const made = await must(path, { method: 'POST', key, query: { uploads: '' }, headers: { [WRITE_ID]: writeId } }, 200)
    const uploadId = element(made.body.toString('utf8'), 'UploadId') ?? ''
    try {
      const etags = await inParallel(partsOf(sizeBytes), async (part) => {
        const body = await read(part)
        const query = { partNumber: String(part.index + 1), uploadId }
        const { headers } = await must(path, { method: 'PUT', key, query, body }, 200)
        return headers.get('etag') ?? ''
      })
      const list = etags.map((etag, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>${etag}</ETag></Part>`).join('')
      const body = `<CompleteMultipartUpload>${list}</CompleteMultipartUpload>`
      const reply = await ask(path, { method: 'POST', key, query: { uploadId }, headers: { 'if-none-match': '*' }, body })
      const text = reply.body.toString('utf8')
      // The status comes before the work: an error may follow it.
      if (reply.status === 200 && !text.includes('<Error>')) return
      if (reply.attempt > 1 && (await isOurs(path, writeId))) return
      throw refused(path, reply.status === 200 ? 500 : reply.status, text)
    } catch (error) {
      await ask(path, { method: 'DELETE', key, query: { uploadId } }).catch(() => {})
      throw error
    }
  }

  async function* list(directory: string): AsyncIterable<StoredObject> {
    const prefix = keyOf(below(directory))
    for (let token: string | undefined = ''; token !== undefined; ) {
      const query: Record<string, string> = { 'list-type': '2', prefix, ...(token ? { 'continuation-token': token } : {}) }
      const text: string = (await must(directory, { method: 'GET', key: '', query }, 200)).body.toString('utf8')
      for (const entry of elements(text, 'Contents')) {
        const key = element(entry, 'Key') ?? ''
        // Some tools make an empty object for a directory.
        if (key.endsWith('/')) continue
        yield {
          path: `s3://${bucket}/${key}`,
          sizeBytes: Number(element(entry, 'Size')),
          modifiedMs: Date.parse(element(entry, 'LastModified') ?? ''),
        }
      }
      token = element(text, 'IsTruncated') === 'true' ? element(text, 'NextContinuationToken') : undefined
    }
  }

  return {
    async read(path, range) {
      const headers = range ? { range: `bytes=${range.start}-${range.start + range.length - 1}` } : {}
      const reply = await ask(path, { method: 'GET', key: keyOf(path), headers })
      if (reply.status === 200 || reply.status === 206) return reply.body
      // A range that begins where the file ends, or after it.
      if (reply.status === 416) return Buffer.alloc(0)
      throw refused(path, reply.status, reply.body.toString('utf8'))
    },
    async stream(path) {
      const response = await sendForStream(parts, path, () => signed({ method: 'GET', key: keyOf(path) }))
      if (response.status !== 200) throw refused(path, response.status, await response.text())
      const sizeBytes = Number(response.headers.get('content-length'))
      return { etag: response.headers.get('etag') ?? '', sizeBytes, chunks: chunksOf(path, response, sizeBytes) }
    },
    put,
    async upload(path, from) {
      const sizeBytes = await from.size()
      if (sizeBytes <= WHOLE_BYTES_MAX) await put(path, await from.read(0, sizeBytes))
      else await putParts(path, sizeBytes, ({ start, length }) => from.read(start, length))
    },
    list,
    async stat(path) {
      const found = await head(path)
      return found && { path, sizeBytes: found.sizeBytes, modifiedMs: found.modifiedMs, etag: found.etag }
    },
    async remove(path) {
      const reply = await ask(path, { method: 'DELETE', key: keyOf(path) })
      if (reply.status >= 300 && reply.status !== 404) throw refused(path, reply.status, reply.body.toString('utf8'))
    },
    makeDirectory: async () => {},
    presign: async (path, seconds) => presignUrl({ method: 'GET', url: urlOf(keyOf(path)), query: {} }, seconds, await signing()),
  }
}
