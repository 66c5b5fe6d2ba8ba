// The fast lane beside node:http, over real sockets: what it takes, what it leaves, and that no byte is lost between the two.
import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { systemClock } from '../core/clock.ts'
import { Lane, readHead } from './lane.ts'
import type { StreamRequest } from './streams.ts'

const head = (extra = '', length = 3) => `POST /streams/clicks HTTP/1.1\r\nHost: here\r\nContent-Length: ${length}\r\n${extra}\r\n`

test('heads that the lane takes', () => {
  const all =
    'Authorization: Bearer a\r\nContent-Type:application/json\r\ncontent-encoding: \tgzip \r\nIdempotency-Key: k 1\r\nX-Other: y\r\n'
  assert.deepEqual(readHead(Buffer.from(head(all))), {
    stream: 'clicks',
    authorization: 'Bearer a',
    contentType: 'application/json',
    contentEncoding: 'gzip',
    idempotencyKey: 'k 1',
    headBytes: head(all).length,
    bodyBytes: 3,
  })
  assert.equal(readHead(Buffer.from(head('Connection: Keep-Alive\r\n')))?.bodyBytes, 3)
  assert.equal(readHead(Buffer.from(`${head()}{}\nPOST /`))?.headBytes, head().length)
})

test('heads that it leaves to node:http', () => {
  const left = {
    incomplete: head().slice(0, -1),
    get: head().replace('POST', 'GET'),
    query: head().replace('clicks', 'clicks?a=1'),
    path: head().replace('/streams/clicks', '/sql'),
    version: head().replace('1.1', '1.0'),
    encoded: head().replace('clicks', 'cl%69cks'),
    'no length': head().replace(/Content-Length.*?\r\n/, ''),
    'no host': head().replace(/Host.*?\r\n/, ''),
    'two lengths': head('Content-Length: 3\r\n'),
    'two tokens': head('Authorization: a\r\nAuthorization: b\r\n'),
    'signed length': head().replace(': 3', ': +3'),
    'listed length': head().replace(': 3', ': 3, 3'),
    chunked: head('Transfer-Encoding: chunked\r\n'),
    expect: head('Expect: 100-continue\r\n'),
    upgrade: head('Upgrade: h2c\r\n'),
    origin: head('Origin: http://elsewhere\r\n'),
    close: head('Connection: close\r\n'),
    folded: head('X-Other: a\r\n b\r\n'),
    'space before the colon': head('X-Other : a\r\n'),
    'bare line feed': head('X-Other: a\nTransfer-Encoding: chunked\r\n'),
    'large body': head('', 2 << 20),
    'large head': head(`X-Other: ${'a'.repeat(9_000)}\r\n`),
  }
  for (const [why, text] of Object.entries(left)) assert.equal(readHead(Buffer.from(text)), null, why)
})

interface Both {
  readonly lane: Lane
  readonly server: Server
  readonly seen: { by: 'lane' | 'http'; stream: string; body: string }[]
  open(): Promise<Socket>
  close(): Promise<void>
}

/** A server that answers with what it read, and says which of the two read it. */
async function both(wait: (request: StreamRequest) => Promise<void> = async () => {}): Promise<Both> {
  const seen: Both['seen'] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString()
      seen.push({ by: 'http', stream: request.url!, body })
      response.writeHead(200, { 'content-length': body.length }).end(body)
    })
  })
  const accept = server.listeners('connection')[0] as (socket: Socket) => void
  const lane = new Lane({
    clock: systemClock,
    async answer(request, body) {
      await wait(request)
      seen.push({ by: 'lane', stream: request.stream, body: body.toString() })
      return { status: 202, headers: { 'content-type': 'text/plain' }, body: body.toString() }
    },
    handOver: (socket) => accept.call(server, socket),
  })
  server.removeAllListeners('connection').on('connection', (socket) => lane.take(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    lane,
    server,
    seen,
    open: () =>
      new Promise((resolve) => {
        const socket = connect((server.address() as AddressInfo).port, '127.0.0.1', () => resolve(socket))
      }),
    close: () =>
      new Promise((resolve) => {
        lane.closeAll()
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

/** Bodies of so many answers, in their order. */
function answers(socket: Socket, count: number): Promise<string[]> {
  return new Promise((resolve, reject) => {
    let text = ''
    const bodies: string[] = []
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const length = Number(/content-length: (\d+)/i.exec(text.slice(0, end))![1])
        if (text.length < end + 4 + length) return
        bodies.push(Buffer.from(text.slice(end + 4, end + 4 + length), 'latin1').toString())
        text = text.slice(end + 4 + length)
      }
      if (bodies.length === count) resolve(bodies)
    })
    socket.on('close', () => reject(new Error(`closed after ${bodies.length} answers: ${text}`)))
    socket.on('error', reject)
  })
}

const pause = () => new Promise((resolve) => setTimeout(resolve, 20))

test('requests one after the other, sent ahead, and cut anywhere', async () => {
  const tried = await both()
  try {
    const socket = await tried.open()
    const bodies = ['abc', '', 'x'.repeat(100_000), 'é\n']
    const text = Buffer.concat(bodies.map((body) => Buffer.from(head('', Buffer.byteLength(body)) + body)))
    const got = answers(socket, bodies.length)
    // A head is taken only whole: cuts fall into bodies.
    socket.write(text.subarray(0, head().length + 1))
    await pause()
    socket.write(text.subarray(head().length + 1, 50_000))
    await pause()
    socket.write(text.subarray(50_000))
    assert.deepEqual(await got, bodies)
    assert.deepEqual([...new Set(tried.seen.map(({ by }) => by))], ['lane'])
    socket.destroy()
  } finally {
    await tried.close()
  }
})

test('the first unusual request goes to node:http with its bytes, and so does all that follows', async () => {
  const tried = await both()
  try {
    const socket = await tried.open()
    const got = answers(socket, 4)
    const chunked = 'POST /streams/clicks HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ndef\r\n0\r\n\r\n'
    socket.write(`${head()}abc${chunked}${head()}ghi`)
    await pause()
    socket.write(`${head()}jkl`)
    assert.deepEqual(await got, ['abc', 'def', 'ghi', 'jkl'])
    assert.deepEqual(
      tried.seen.map(({ by }) => by),
      ['lane', 'http', 'http', 'http'],
    )
    socket.destroy()
  } finally {
    await tried.close()
  }
})

test('a head that comes in parts is read by node:http', async () => {
  const tried = await both()
  try {
    const socket = await tried.open()
    const got = answers(socket, 1)
    socket.write(head().slice(0, 20))
    await pause()
    socket.write(`${head().slice(20)}abc`)
    assert.deepEqual(await got, ['abc'])
    assert.equal(tried.seen[0]?.by, 'http')
    socket.destroy()
  } finally {
    await tried.close()
  }
})

test('closing answers what is under way, ends what is idle, and ends no request half-way', async () => {
  let release = (): void => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  const tried = await both(() => held)
  try {
    const [idle, busy] = [await tried.open(), await tried.open()]
    const ended = new Promise((resolve) => idle.on('end', resolve))
    idle.resume()
    const got = answers(busy, 1)
    busy.write(`${head()}abc`)
    await pause()
    tried.lane.closeIdle()
    await ended
    release()
    assert.deepEqual(await got, ['abc'])
    assert.equal(await new Promise((resolve) => tried.server.close(() => resolve('closed'))), 'closed')
  } finally {
    await tried.close()
  }
})

test('a client that leaves does no harm', async () => {
  let release = (): void => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  const tried = await both(() => held)
  try {
    const gone = await tried.open()
    gone.write(`${head()}abc`)
    await pause()
    gone.resetAndDestroy()
    await pause()
    release()
    await pause()
    const socket = await tried.open()
    const got = answers(socket, 1)
    socket.write(`${head()}def`)
    assert.deepEqual(await got, ['def'])
    socket.destroy()
  } finally {
    await tried.close()
  }
})
