// The doors with real threads and sockets: rows, refusals, failures of the log, and connections that go on to node:http.
import assert from 'node:assert/strict'
import { createServer, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { test } from 'node:test'
import { systemClock } from '../../core/clock.ts'
import { MillraceError } from '../../core/errors.ts'
import { serveEntrance } from '../../log/entrance.ts'
import type { Append, Log } from '../../log/log.ts'
import type { Shape } from '../../schema/type.ts'
import { beginDoorThreads } from './door-threads.ts'
import { type Doors, openDoors } from './doors.ts'
import { takeRelayed } from './relay.ts'

const shape: Shape = { fields: [{ name: 'a', type: { kind: 'int' }, optional: false }] }
const SECRET = 'only-for-those-who-know'

interface Tried {
  readonly url: string
  readonly port: number
  readonly doors: Doors
  readonly innerPort: number
  readonly appended: { topic: string; text: string; parts: readonly Append[] }[]
  readonly collected: [string, number, number, number][]
  refuse: MillraceError | null
  fail: MillraceError | null
  /** The log takes as long. */
  durable: Promise<void>
}

async function tried(threads: number, run: (one: Tried) => Promise<void>, port = 0): Promise<void> {
  const inner = createServer((request: IncomingMessage, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const said = { url: request.url, address: request.socket.remoteAddress, bytes: Buffer.concat(chunks).length }
      response.setHeader('content-type', 'application/json').end(JSON.stringify(said))
    })
  })
  takeRelayed(inner, SECRET)
  await new Promise<void>((resolve) => inner.listen(0, '127.0.0.1', resolve))
  const innerPort = (inner.address() as AddressInfo).port
  const state: Pick<Tried, 'appended' | 'collected' | 'refuse' | 'fail' | 'durable'> = {
    appended: [],
    collected: [],
    refuse: null,
    fail: null,
    durable: Promise.resolve(),
  }
  let offset = 0
  const append: Log['append'] = async (topic, parts) => {
    if (state.fail) throw state.fail
    await state.durable
    state.appended.push({ topic, text: parts.map(({ payload }) => Buffer.from(payload).toString()).join('|'), parts })
    return parts.map(({ partition, count }) => {
      const first = offset
      offset += count
      return { partition, first, last: offset - 1, duplicate: false }
    })
  }
  const doorThreads = beginDoorThreads(threads)
  const doors = await openDoors({
    host: '127.0.0.1',
    port,
    threads: doorThreads,
    inner: { port: innerPort, secret: SECRET },
    doors: [
      { topic: 'other', partitions: 1, keyIndex: -1, shape },
      { topic: 'clicks', partitions: 1, keyIndex: -1, shape },
    ],
    clock: systemClock,
    onError: (error) => assert.fail(error),
    log: { admit: (entrance) => serveEntrance({ append }, entrance) },
    streams: {
      limits: { bodyBytesMax: 4 << 20 },
      mayWrite(authorization) {
        if (state.refuse) throw state.refuse
        return { id: authorization ?? 'nobody' }
      },
      onCollected: (stream, accepted, rejected, bytes) => void state.collected.push([stream, accepted, rejected, bytes]),
    },
  }).catch(async (error) => {
    inner.close()
    await doorThreads.close()
    throw error
  })
  try {
    await run(Object.assign(state, { url: `http://127.0.0.1:${doors.port}`, port: doors.port, doors, innerPort }))
  } finally {
    doors.close('all')
    await doors.closed
    inner.closeAllConnections()
    inner.close()
  }
}

const post = (url: string, body: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${url}/streams/clicks`, { method: 'POST', body, headers: { 'content-type': 'application/x-ndjson', ...headers } })

/** A plain request as a collector sends it, so that the lane takes it: `fetch` adds headers that it leaves. */
function collect(port: number, body: string, extra = ''): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let text = ''
    socket.on('error', reject)
    socket.on('data', (chunk) => {
      text += chunk.toString()
      const [head, answer] = text.split('\r\n\r\n')
      if (answer === undefined || Buffer.byteLength(answer) < Number(/content-length: (\d+)/i.exec(head!)![1])) return
      socket.destroy()
      resolve({ status: Number(head!.split(' ')[1]), body: answer })
    })
    socket.write(
      `POST /streams/clicks HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n${extra}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    )
  })
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 50))

for (const threads of [1, 2]) {
  test(`rows and refusals reach the log, ${threads} threads`, () =>
    tried(threads, async ({ port, appended, collected }) => {
      const answers = await Promise.all(Array.from({ length: 20 }, (_, a) => collect(port, `{"a":${a}}\n`)))
      assert.ok(answers.every(({ status }) => status === 202))
      const offsets = answers.map(({ body }) => JSON.parse(body).offsets[0].first).sort((one, other) => one - other)
      assert.deepEqual(
        offsets,
        Array.from({ length: 20 }, (_, offset) => offset),
      )
      const mixed = await collect(port, '{"a":1}\n{"a":"x"}\n', 'Idempotency-Key: k\r\n')
      assert.equal(mixed.status, 202)
      assert.equal(JSON.parse(mixed.body).errors[0].code, 'MR_ROW_TYPE')
      await settled()
      const { topic, parts } = appended.at(-1)!
      assert.equal(topic, 'clicks')
      assert.deepEqual(
        parts.map(({ kind, count, idempotency }) => [kind, count, idempotency?.key]),
        [
          ['rows', 1, 'nobody/clicks/k/rows'],
          ['rejects', 1, 'nobody/clicks/k/rejects'],
        ],
      )
      assert.equal(new Set(appended.slice(0, 20).map(({ text }) => text)).size, 20)
      assert.deepEqual(collected.at(-1), ['clicks', 1, 1, 18])
    }))
}

test('bytes stay as they are until the log has them, in slots and when every slot is taken', () =>
  tried(1, async (one) => {
    for (let round = 0; round < 3; round++) {
      const durable = Promise.withResolvers<void>()
      one.durable = durable.promise
      const sent = Array.from({ length: 50 }, (_, a) => Array.from({ length: 200 }, () => `{"a":${round * 1_000 + a}}\n`).join(''))
      const answers: Promise<{ status: number }>[] = []
      for (const body of sent) {
        answers.push(collect(one.port, body))
        await new Promise((resolve) => setTimeout(resolve, 2)) // each in a turn of its own
      }
      durable.resolve()
      for (const { status } of await Promise.all(answers)) assert.equal(status, 202)
      assert.deepEqual(
        one.appended.splice(0).map(({ text }) => text),
        sent,
      )
    }
  }))

test('an error of the log is answered as it is', () =>
  tried(1, async (one) => {
    one.fail = new MillraceError('MR_LOG_FULL', 'no room', { fix: 'make room' })
    const { status, body } = await collect(one.port, '{"a":1}\n')
    assert.equal(status, 507)
    assert.equal(JSON.parse(body).code, 'MR_LOG_FULL')
    one.fail = null
    assert.equal((await collect(one.port, '{"a":1}\n')).status, 202)
  }))

test('who may write is asked once, and again when that may have changed', () =>
  tried(2, async (one) => {
    assert.equal((await collect(one.port, '{"a":1}\n')).status, 202)
    one.refuse = new MillraceError('MR_AUTH_INVALID', 'the token is not valid')
    one.doors.forget()
    await settled()
    for (let again = 0; again < 4; again++) assert.equal((await collect(one.port, '{"a":1}\n')).status, 401)
  }))

test('everything else goes to node:http with its address, whole', () =>
  tried(2, async ({ url, port, appended }) => {
    assert.deepEqual(await (await fetch(`${url}/any?a=1`)).json(), { url: '/any?a=1', address: '127.0.0.1', bytes: 0 })
    const large = 'x'.repeat(3 << 20)
    assert.deepEqual(await (await post(url, large)).json(), { url: '/streams/clicks', address: '127.0.0.1', bytes: large.length })
    assert.deepEqual(appended, [])
    // A client that has said everything and closes its side still reads the answer.
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    socket.end('GET /half HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    let text = ''
    for await (const chunk of socket) text += chunk
    assert.match(text, /"url":"\/half"/)
  }))

test('the inner port is for those who know the secret', () =>
  tried(1, async ({ innerPort }) => {
    for (const first of ['GET / HTTP/1.1\r\nHost: x\r\n\r\n', `${SECRET.slice(1)} 10.0.0.1\r\nGET / HTTP/1.1\r\n\r\n`, 'x'.repeat(500)]) {
      const socket = connect(innerPort, '127.0.0.1')
      socket.write(first)
      let text = ''
      await new Promise<void>((resolve) =>
        socket
          .on('data', (chunk) => (text += chunk))
          .on('error', () => {})
          .on('close', () => resolve()),
      )
      assert.equal(text, '')
    }
  }))

test('a port that is taken is refused, whoever has it', () =>
  tried(2, async ({ port }) => {
    for (const threads of [1, 2])
      await assert.rejects(
        tried(threads, async () => {}, port),
        { code: 'MR_PORT' },
      )
  }))
