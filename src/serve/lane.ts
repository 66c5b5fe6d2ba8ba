// The fast lane: connections of collectors, which send one plain `POST /streams/{name}` after the other. Their requests are read
// from the socket here, for a third of what node:http costs; the first request that is in any way unusual goes to node:http
// with its bytes and its connection, for good. So this reads a strict subset of HTTP/1.1 (RFC 9112) and refuses nothing.
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Clock } from '../core/clock.ts'
import type { StreamAnswer, StreamRequest } from './streams.ts'

interface Head extends StreamRequest {
  readonly headBytes: number
  readonly bodyBytes: number
}

const HEAD_BYTES_MAX = 8 << 10
/** Larger bodies go to node:http, which refuses those beyond the limit before it reads them. */
const BODY_BYTES_MAX = 1 << 20
/** A body that takes longer comes from a slow client, of which node:http knows how to get rid. */
const BODY_MS_MAX = 2_000
/** Connections without a request are closed after this time, as node:http closes them. */
const IDLE_MS = 65_000
/** What a client may send ahead of its answers. */
const AHEAD_BYTES_MAX = BODY_BYTES_MAX + HEAD_BYTES_MAX

const REQUEST_LINE = /^POST \/streams\/([A-Za-z0-9_.~-]+) HTTP\/1\.1$/
const FIELD_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e\t]*)$/
const UNUSUAL = new Set(['transfer-encoding', 'expect', 'upgrade', 'origin', 'trailer', 'te'])
const KNOWN = new Set(['host', 'content-length', 'authorization', 'content-type', 'content-encoding', 'idempotency-key', 'connection'])

/** Heads that were read: a collector sends few different ones. */
const heads = new Map<string, Head>()
const HEADS_MAX = 1_000

/** The head of a request that begins `bytes`; null when it is incomplete or not for the lane. */
export function readHead(bytes: Buffer): Head | null {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0 || end > HEAD_BYTES_MAX) return null
  const text = bytes.latin1Slice(0, end)
  let head = heads.get(text) ?? null
  if (head) return head
  head = parseHead(text)
  if (heads.size >= HEADS_MAX) heads.clear()
  if (head) heads.set(text, head)
  return head
}

function parseHead(text: string): Head | null {
  const lines = text.split('\r\n')
  const stream = REQUEST_LINE.exec(lines[0]!)?.[1]
  if (stream === undefined) return null
  const known = new Map<string, string>()
  for (let i = 1; i < lines.length; i++) {
    const field = FIELD_LINE.exec(lines[i]!)
    if (!field) return null
    const name = field[1]!.toLowerCase()
    if (UNUSUAL.has(name) || known.has(name)) return null
    if (KNOWN.has(name)) known.set(name, field[2]!.trimEnd())
  }
  const length = known.get('content-length')
  if (length === undefined || !/^\d{1,9}$/.test(length) || Number(length) > BODY_BYTES_MAX || !known.has('host')) return null
  if (known.has('connection') && known.get('connection')!.toLowerCase() !== 'keep-alive') return null
  return {
    stream,
    authorization: known.get('authorization'),
    contentType: known.get('content-type'),
    contentEncoding: known.get('content-encoding'),
    idempotencyKey: known.get('idempotency-key'),
    headBytes: text.length + 4,
    bodyBytes: Number(length),
  }
}

export interface LaneOptions {
  readonly clock: Clock
  /** Never rejects. */
  readonly answer: (request: StreamRequest, body: Buffer) => Promise<StreamAnswer>
  /** Takes a connection with its unread bytes: node:http. */
  readonly handOver: (socket: Socket) => void
}

export class Lane {
  readonly #options: LaneOptions
  readonly #connections = new Set<Connection>()

  constructor(options: LaneOptions) {
    this.#options = options
  }

  take(socket: Socket): void {
    const connection: Connection = new Connection(socket, this.#options, () => this.#connections.delete(connection))
    this.#connections.add(connection)
  }

  /** Ends connections as soon as they wait for nothing. */
  closeIdle(): void {
    for (const connection of this.#connections) connection.endWhenIdle()
  }

  closeAll(): void {
    for (const connection of this.#connections) connection.destroy()
  }
}

/** One request at a time: what a client sends ahead waits. */
class Connection {
  readonly #socket: Socket
  readonly #options: LaneOptions
  readonly #onGone: () => void
  /** Read and not yet taken. */
  #parts: Buffer[] = []
  #size = 0
  /** Of the request whose body is still coming. */
  #head: Head | null = null
  #sinceMs = 0
  #isAnswering = false
  #isEnding = false

  constructor(socket: Socket, options: LaneOptions, onGone: () => void) {
    this.#socket = socket
    this.#options = options
    this.#onGone = onGone
    socket.setNoDelay(true)
    socket.setTimeout(IDLE_MS)
    for (const [event, listener] of this.#listeners) socket.on(event, listener)
  }

  endWhenIdle(): void {
    this.#isEnding = true
    if (!this.#isAnswering) this.#socket.destroySoon()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  readonly #listeners: readonly (readonly [event: string, listener: (chunk: Buffer) => void])[] = [
    ['data', (chunk: Buffer) => this.#read(chunk)],
    ['end', () => this.endWhenIdle()],
    ['timeout', () => (this.#isAnswering ? undefined : this.destroy())],
    ['error', () => {}], // `close` follows
    ['close', () => this.#onGone()],
  ]

  #read(chunk: Buffer): void {
    this.#parts.push(chunk)
    this.#size += chunk.length
    if (!this.#isAnswering) this.#next()
    else if (this.#size > AHEAD_BYTES_MAX) this.#socket.pause()
  }

  #next(): void {
    if (this.#size === 0) return
    const { clock } = this.#options
    if (!this.#head) {
      this.#head = readHead(this.#joined())
      this.#sinceMs = clock.monotonicMs()
    }
    const head = this.#head
    if (head && this.#size >= head.headBytes + head.bodyBytes) void this.#answer(head, this.#take(head.headBytes + head.bodyBytes))
    else if (!head || clock.monotonicMs() - this.#sinceMs > BODY_MS_MAX) this.#leave()
  }

  async #answer(head: Head, request: Buffer): Promise<void> {
    this.#head = null
    this.#isAnswering = true
    const answer = await this.#options.answer(head, request.subarray(head.headBytes))
    this.#isAnswering = false
    if (this.#socket.destroyed) return
    this.#socket.write(printAnswer(answer, this.#options.clock.nowMs(), this.#isEnding))
    if (this.#isEnding) this.#socket.destroySoon()
    else {
      if (this.#socket.isPaused()) this.#socket.resume()
      this.#next()
    }
  }

  #joined(): Buffer {
    if (this.#parts.length > 1) this.#parts = [Buffer.concat(this.#parts, this.#size)]
    return this.#parts[0]!
  }

  #take(bytes: number): Buffer {
    const all = this.#joined()
    this.#size -= bytes
    this.#parts = this.#size === 0 ? [] : [all.subarray(bytes)]
    return all.subarray(0, bytes)
  }

  #leave(): void {
    const socket = this.#socket
    for (const [event, listener] of this.#listeners) socket.off(event, listener)
    this.#onGone()
    socket.setTimeout(0)
    socket.pause()
    socket.unshift(this.#joined())
    this.#options.handOver(socket)
    socket.resume()
  }
}

let dateMs = 0
let date = ''

/** RFC 9110 section 6.6.1: whoever has a clock says the time; once a second is often enough. */
function dateAt(nowMs: number): string {
  if (Math.abs(nowMs - dateMs) >= 1_000) {
    dateMs = nowMs - (nowMs % 1_000)
    date = new Date(dateMs).toUTCString()
  }
  return date
}

function printAnswer({ status, headers, body }: StreamAnswer, nowMs: number, isLast: boolean): string {
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nDate: ${dateAt(nowMs)}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`
  for (const name in headers) head += `${name}: ${headers[name]}\r\n`
  if (isLast) head += 'Connection: close\r\n'
  return `${head}\r\n${body}`
}
