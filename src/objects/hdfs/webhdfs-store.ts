// HDFS through WebHDFS: https://hadoop.apache.org/docs/stable/hadoop-project-dist/hadoop-hdfs/WebHDFS.html. A file is written
// beside its place and renamed, which fails when the name is taken: nobody sees half of one. The name node sends readers and
// writers on to a data node. Several name nodes: the one that is active answers.
import { MillraceError } from '../../core/errors.ts'
import { uuidV7 } from '../../core/random.ts'
import { chunksOf, encodePath, encodeQuery, type HttpParts, type HttpRequest, type Reply, send, sendForStream } from '../http.ts'
import type { ObjectFacts, ObjectStore, StoredObject } from '../object-store.ts'
import { partsOf } from '../parts.ts'
import { refusal } from '../refusal.ts'

export interface WebHdfsOptions {
  /** Of the name nodes: `http://namenode:9870`. */
  readonly urls: readonly string[]
  /** What URIs begin with: `hdfs://namenode`, without a slash at the end. */
  readonly prefix: string
  readonly user?: string
  /** Delegation token. */
  readonly token?: string
}

interface FileStatus {
  readonly pathSuffix: string
  readonly type: 'FILE' | 'DIRECTORY'
  readonly length: number
  readonly modificationTime: number
  readonly fileId?: number
}

type Query = Readonly<Record<string, string>>

const PART_BYTES = 8 << 20

export function openWebHdfs(parts: HttpParts, options: WebHdfsOptions): ObjectStore {
  const { prefix, user, token } = options
  let active = 0
  const pathOf = (path: string): string => {
    if (!path.startsWith(`${prefix}/`)) throw new MillraceError('MR_ASSERT', `cannot be: ${path} is not in ${prefix}`)
    return path.slice(prefix.length)
  }
  const identity: Query = token ? { delegation: token } : user ? { 'user.name': user } : {}
  const urlOf = (file: string, op: string, query: Query): string =>
    `${options.urls[active]!.replace(/\/$/, '')}/webhdfs/v1${encodePath(file)}?${encodeQuery({ op, ...query, ...identity })}`
  /** A name node that is standing by says so, and the next one is asked. */
  const isStandby = (status: number, body: string): boolean => {
    if (status !== 403 || !body.includes('StandbyException')) return false
    active = (active + 1) % options.urls.length
    return true
  }
  const ask = (path: string, method: string, op: string, query: Query = {}): Promise<Reply> =>
    send(parts, path, () => ({ method, url: urlOf(pathOf(path), op, query) }), isStandby)
  const refused = (path: string, { status, body }: { readonly status: number; readonly body: Buffer | string }): MillraceError => {
    const text = body.toString('utf8')
    const code = /"exception":\s*"([^"]*)"/.exec(text)?.[1] ?? ''
    const message = (/"message":\s*"([^"]*)"/.exec(text)?.[1] ?? '').split('\\n')[0]!
    const answered = code === 'FileAlreadyExistsException' ? 409 : status
    return refusal({ path, place: prefix, status: answered, code, message, credentials: token ? 'the token' : `the user "${user ?? ''}"` })
  }
  const must = async (path: string, method: string, op: string, query: Query = {}): Promise<Reply> => {
    const reply = await ask(path, method, op, query)
    if (reply.status === 200) return reply
    throw refused(path, reply)
  }
  const json = <T>({ body }: Reply): T => JSON.parse(body.toString('utf8')) as T
  const factsOf = (path: string, { length, modificationTime, fileId }: FileStatus): ObjectFacts => ({
    path,
    sizeBytes: length,
    modifiedMs: modificationTime,
    etag: `${fileId ?? ''}-${length}`,
  })
  const statusOf = async (path: string): Promise<FileStatus | undefined> => {
    const reply = await ask(path, 'GET', 'GETFILESTATUS')
    if (reply.status === 404) return undefined
    if (reply.status !== 200) throw refused(path, reply)
    return json<{ FileStatus: FileStatus }>(reply).FileStatus
  }
  /** The address of the data node that takes or gives the bytes. */
  const redirect = async (path: string, method: string, op: string, query: Query): Promise<string> => {
    const reply = await ask(path, method, op, query)
    const location = reply.headers.get('location')
    if (reply.status !== 307 || !location) throw refused(path, reply)
    return location
  }

  /** Writes the parts beside the place and renames. A try that is repeated begins with a file of another name. */
  async function write(path: string, sizeBytes: number, read: (start: number, length: number) => Promise<Uint8Array>): Promise<void> {
    if ((await statusOf(path)) !== undefined) throw refusal409(path)
    const slash = path.lastIndexOf('/')
    const hidden = `${path.slice(0, slash)}/.${uuidV7(parts.clock.nowMs(), parts.random)}.tmp`
    try {
      for (const { index, start, length } of partsOf(sizeBytes, PART_BYTES))
        await writePart(hidden, index, start, await read(start, length))
      const renamed = await must(hidden, 'PUT', 'RENAME', { destination: pathOf(path) })
      if (json<{ boolean: boolean }>(renamed).boolean) return
      // The answer of an earlier try was lost.
      if (renamed.attempt > 1 && !(await statusOf(hidden)) && (await statusOf(path))?.length === sizeBytes) return
      throw refusal409(path)
    } catch (error) {
      await ask(hidden, 'DELETE', 'DELETE').catch(() => {})
      throw error
    }
  }
  const refusal409 = (path: string): MillraceError =>
    refusal({ path, place: prefix, status: 409, code: 'FileAlreadyExistsException', message: '', credentials: '' })

  async function writePart(path: string, index: number, start: number, body: Uint8Array): Promise<void> {
    const make = async (): Promise<HttpRequest> => {
      // An append whose answer was lost may have been carried out: it is cut back to where it began.
      if (index > 0 && ((await statusOf(path))?.length ?? 0) > start) await must(path, 'POST', 'TRUNCATE', { newlength: String(start) })
      const [method, op, query] = index === 0 ? (['PUT', 'CREATE', { overwrite: 'true' }] as const) : (['POST', 'APPEND', {}] as const)
      return { method, url: await redirect(path, method, op, query), headers: { 'content-type': 'application/octet-stream' }, body }
    }
    const reply = await send(parts, path, make)
    if (reply.status !== 201 && reply.status !== 200) throw refused(path, reply)
  }

  async function* list(directory: string): AsyncIterable<StoredObject> {
    const reply = await ask(directory, 'GET', 'LISTSTATUS')
    if (reply.status === 404) return
    if (reply.status !== 200) throw refused(directory, reply)
    for (const status of json<{ FileStatuses: { FileStatus: FileStatus[] } }>(reply).FileStatuses.FileStatus) {
      const path = `${directory}/${status.pathSuffix}`
      if (status.type === 'DIRECTORY') yield* list(path)
      else yield factsOf(path, status)
    }
  }

  const opened = async (path: string, query: Query): Promise<HttpRequest> => ({
    method: 'GET',
    url: await redirect(path, 'GET', 'OPEN', query),
  })
  return {
    async read(path, range) {
      const query = range ? { offset: String(range.start), length: String(range.length) } : {}
      const reply = await send(parts, path, () => opened(path, query))
      if (reply.status === 200 || reply.status === 206) return reply.body
      throw refused(path, reply)
    },
    async stream(path) {
      const status = await statusOf(path)
      if (!status) throw refusal({ path, place: prefix, status: 404, code: '', message: '', credentials: '' })
      const response = await sendForStream(parts, path, () => opened(path, {}))
      if (response.status !== 200) throw refused(path, { status: response.status, body: await response.text() })
      return { etag: factsOf(path, status).etag, sizeBytes: status.length, chunks: chunksOf(path, response, status.length) }
    },
    put: (path, content) => write(path, content.byteLength, async (start, length) => content.subarray(start, start + length)),
    upload: async (path, from) => write(path, await from.size(), (start, length) => from.read(start, length)),
    list,
    async stat(path) {
      const status = await statusOf(path)
      return status?.type === 'FILE' ? factsOf(path, status) : undefined
    },
    async remove(path) {
      const reply = await ask(path, 'DELETE', 'DELETE')
      if (reply.status !== 200 && reply.status !== 404) throw refused(path, reply)
    },
    async makeDirectory(path) {
      await must(path, 'PUT', 'MKDIRS')
    },
    presign: async () => undefined,
  }
}
