// The kill campaign: `kill -9` at random moments under load, restart, again; then every acknowledged event must be on every
// surface exactly once and in order, and every derived result must equal batch SQL over what is there. Rounds: 6 in
// `npm test`, 50 with MILLRACE_TEST_ALL; the seed is printed.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { seededRandom, systemRandom } from '../../src/core/random.ts'
import { newMasterKeyLine } from '../../src/objects/seal/master-key.ts'
import { root, startServer, type TestServer } from '../server/server.ts'

const ROUNDS = Number(process.env['MILLRACE_ROUNDS'] ?? (process.env['MILLRACE_TEST_ALL'] ? 50 : 6))
const SEED = Number(process.env['MILLRACE_SEED'] ?? 20261125)
const KEYS = 8

type Outcome = 'ok' | 'unknown'

interface Sent {
  readonly topic: 'alpha' | 'beta' | 'latest'
  readonly producer: string
  readonly seq: number
  readonly key: string
  readonly amount: number
  outcome: Outcome
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** One producer of one topic: batches in order, each retried with its own key until it is acknowledged. */
class Producer {
  readonly sent: Sent[] = []
  readonly #topic: Sent['topic']
  readonly #name: string
  readonly #random: ReturnType<typeof seededRandom>
  #seq = 0
  #batch = 0
  #pending: { key: string; body: string; rows: Sent[] } | null = null

  constructor(topic: Sent['topic'], name: string, seed: number) {
    this.#topic = topic
    this.#name = name
    this.#random = seededRandom(seed)
  }

  #next(): { key: string; body: string; rows: Sent[] } {
    const rows: Sent[] = []
    const lines: string[] = []
    const count = 1 + Math.floor(this.#random.next() * 20)
    for (let i = 0; i < count; i++) {
      const seq = this.#seq++
      const row: Sent = {
        topic: this.#topic,
        producer: this.#name,
        seq,
        key: `k${Math.floor(this.#random.next() * KEYS)}`,
        amount: Math.floor(this.#random.next() * 1_000),
        outcome: 'unknown',
      }
      rows.push(row)
      const at = new Date(Date.UTC(2026, 0, 1) + seq * 40).toISOString()
      lines.push(
        JSON.stringify(
          this.#topic === 'latest'
            ? { key: row.key, seq: row.seq, amount: row.amount }
            : { producer: row.producer, seq: row.seq, key: row.key, amount: row.amount, at },
        ),
      )
    }
    this.sent.push(...rows)
    return { key: `${this.#name}-${this.#batch++}`, body: `${lines.join('\n')}\n`, rows }
  }

  /** Sends until told to stop; a batch that got no answer is sent again, with the same key, to the next server. */
  async run(server: TestServer, isStopped: () => boolean): Promise<void> {
    while (!isStopped()) {
      this.#pending ??= this.#next()
      try {
        const response = await server.post(`/streams/${this.#topic}`, this.#pending.body, {
          'content-type': 'application/x-ndjson',
          'idempotency-key': this.#pending.key,
        })
        if (response.status === 429 || response.status === 503) {
          await sleep(20)
          continue
        }
        assert.equal(response.status, 202, await response.text())
        for (const row of this.#pending.rows) row.outcome = 'ok'
        this.#pending = null
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error
        if (isStopped()) return
        await sleep(20)
      }
    }
  }

  /** Sends the batch that is still open, if there is one. */
  async finish(server: TestServer): Promise<void> {
    await this.run(server, () => this.#pending === null)
  }
}

async function settle(server: TestServer, expected: Record<string, number>): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    const counts = await Promise.all(
      Object.keys(expected).map(async (name) => Number((await server.sql(`SELECT count(*) FROM ${name}`))[0]![0])),
    )
    if (Object.values(expected).every((count, index) => counts[index] === count)) return
    await sleep(100)
  }
}

/** The same project with everything encrypted. */
function encryptedProject(directory: string): string {
  const text = readFileSync(join(root, 'test', 'crash', 'project', 'millrace.ts'), 'utf8')
  const encrypted = text.replaceAll(/from: (http|emitted)\(\),/g, 'from: $1(), encrypted: true,')
  assert.equal(encrypted.split('encrypted: true').length, 5)
  mkdirSync(directory)
  writeFileSync(join(directory, 'millrace.ts'), encrypted)
  return directory
}

for (const isEncrypted of [false, true]) {
  const rounds = isEncrypted ? Math.ceil(ROUNDS / 2) : ROUNDS
  test(`nothing is lost, doubled or reordered over ${rounds} kills${isEncrypted ? ', encrypted' : ''} (seed ${SEED})`, {
    timeout: rounds * 30_000 + 120_000,
  }, async (t) => {
    const random = seededRandom(SEED)
    const data = mkdtempSync(join(tmpdir(), 'millrace-crash-'))
    const project = isEncrypted ? encryptedProject(`${data}-project`) : join(root, 'test', 'crash', 'project')
    const keys = isEncrypted ? { MILLRACE_KEYS: newMasterKeyLine('crash', systemRandom) } : {}
    const producers = (['alpha', 'beta'] as const).flatMap((topic) => [0, 1].map((n) => new Producer(topic, `${topic}${n}`, SEED + n)))
    const keyed = new Producer('latest', 'latest0', SEED + 7)
    const all = [...producers, keyed]
    let server: TestServer | null = null
    t.after(() => {
      server?.child.kill('SIGKILL')
      for (const directory of [data, `${data}-project`]) rmSync(directory, { recursive: true, force: true })
    })

    for (let round = 0; round < rounds; round++) {
      const env = {
        ...keys,
        MILLRACE_FLUSH_MS: String(200 + Math.floor(random.next() * 800)),
        UV_THREADPOOL_SIZE: round % 2 === 0 ? '16' : '6',
        MILLRACE_THREADS: String(1 + (round % 2)),
      }
      server = await startServer({ project, data, env })
      let isStopped = false
      const load = Promise.all(all.map((producer) => producer.run(server!, () => isStopped)))
      await sleep(500 + random.next() * 1_500)
      if (round % 3 === 2) {
        // A zombie: stopped, it still holds the directory, so that no second process can write beside it.
        process.kill(server.pid, 'SIGSTOP')
        await assert.rejects(startServer({ project, data, env }), new RegExp(`MR_DATA_LOCKED[^]*${server.pid}`))
        if (random.next() < 0.5) {
          process.kill(server.pid, 'SIGCONT')
          await sleep(100)
        }
      }
      isStopped = true
      await server.kill('SIGKILL')
      await load
    }

    // Answers hold every row: the usual limit would look like a loss.
    server = await startServer({ project, data, env: { ...keys, MILLRACE_FLUSH_MS: '500', MILLRACE_QUERY_ROWS: '10000000' } })
    for (const producer of all) await producer.finish(server)
    const sent = all.flatMap((producer) => producer.sent)
    assert.deepEqual(
      sent.filter((row) => row.outcome !== 'ok').slice(0, 3),
      [],
      `every batch was acknowledged in the end\n${server.errors()}`,
    )
    const count = (topic: string): number => sent.filter((row) => row.topic === topic).length
    t.diagnostic(`${sent.length} events acknowledged over ${rounds} kills`)
    assert.ok(count('alpha') > rounds * 10 && count('beta') > rounds * 10, 'the load was real')

    const lateAlpha = async (): Promise<number> => Number((await server!.sql('SELECT count(*) FROM alpha__late'))[0]![0])
    const outAlpha = count('alpha') - (await lateAlpha())
    await settle(server, { derived: outAlpha, paced: outAlpha })

    for (const topic of ['alpha', 'beta'] as const) {
      const rows = (await server.sql(
        `SELECT producer, seq::INTEGER, key, amount, _partition, _offset FROM ${topic} UNION ALL SELECT producer, seq::INTEGER, key, amount, _partition, _offset FROM ${topic}__late ORDER BY _partition, _offset`,
      )) as [string, number, string, number, number, number][]
      checkExactlyOnce(
        topic,
        rows,
        sent.filter((row) => row.topic === topic),
      )
      const [inLog] = (await server.sql(`SELECT count(*) FROM ${topic}__rejected`)) as [number][]
      assert.equal(Number(inLog![0]), 0, 'nothing was rejected')
    }

    const newest = new Map<string, Sent>()
    for (const row of keyed.sent) newest.set(row.key, row)
    const stored = (await server.sql('SELECT key, seq::INTEGER, amount FROM latest ORDER BY key')) as [string, number, number][]
    assert.deepEqual(
      stored,
      [...newest.values()].sort((a, b) => (a.key < b.key ? -1 : 1)).map((row) => [row.key, row.seq, row.amount]),
      'the latest row of each key',
    )

    const derived = (await server.sql('SELECT key, nth::INTEGER, producer, seq::INTEGER FROM derived ORDER BY key, nth')) as [
      string,
      number,
      string,
      number,
    ][]
    const alpha = (await server.sql('SELECT key, producer, seq::INTEGER FROM alpha ORDER BY key, _partition, _offset')) as [
      string,
      string,
      number,
    ][]
    assert.deepEqual(
      derived.map(([key, , producer, seq]) => [key, producer, seq]),
      alpha,
      'the processor saw every row once, in order',
    )
    assert.deepEqual(
      derived.map(([, nth]) => nth),
      derived.map(([key], index) => index - derived.findIndex(([other]) => other === key) + 1),
      'its state counted without a gap',
    )

    // Shared state counts the rows of a partition; a timer of a key tells a count that only grows, each time once.
    const paced = (await server.sql(
      'SELECT a._partition, count(*), count(DISTINCT p.nth), max(p.nth)::INTEGER FROM paced AS p JOIN (SELECT DISTINCT key, _partition FROM alpha) AS a ON a.key = p.key GROUP BY 1 ORDER BY 1',
    )) as [number, number, number, number][]
    const inPartition = await server.sql('SELECT _partition, count(*) FROM alpha GROUP BY 1 ORDER BY 1')
    assert.deepEqual(
      paced.map(([partition, rows, distinct, most]) => [partition, rows, distinct, most]),
      inPartition.map(([partition, rows]) => [partition, rows, rows, rows]),
      'shared state saw each row once',
    )
    const pauses = await server.sql('SELECT count(*), count(DISTINCT (key, "at")) FROM pauses')
    assert.ok(Number(pauses[0]![0]) > rounds, 'timers fired')
    assert.equal(pauses[0]![0], pauses[0]![1], 'no timer fired twice')
    const shrunk = await server.sql(
      `SELECT key FROM (SELECT key, rows - lag(rows) OVER (PARTITION BY key ORDER BY _partition, _offset) AS more FROM pauses) WHERE more < 0`,
    )
    assert.deepEqual(shrunk, [], 'what timers saw never went back')

    const [closed] = await server.sql('SELECT count(*) FROM per_second')
    assert.ok(Number(closed![0]) > 0, 'windows were closed')
    const difference = await server.sql(`
    WITH batch AS (SELECT time_bucket(INTERVAL 1 SECOND, "at", TIMESTAMPTZ '1970-01-01 00:00:00+00') AS window_start, key, count(*) AS events, sum(amount)::DECIMAL(38, 0) AS total FROM beta GROUP BY ALL),
    closed AS (SELECT max(window_start) AS until FROM per_second)
    (SELECT * FROM batch WHERE window_start <= (SELECT until FROM closed) EXCEPT ALL SELECT window_start, key, events, total::DECIMAL(38, 0) FROM per_second)
    UNION ALL (SELECT window_start, key, events, total::DECIMAL(38, 0) FROM per_second EXCEPT ALL SELECT * FROM batch)`)
    assert.deepEqual(difference, [], 'the live model equals batch SQL over every closed window')

    const newestDifference = await server.sql(`
    (SELECT key, events, seq FROM newest EXCEPT ALL SELECT key, count(*), max(seq) FROM beta GROUP BY ALL)
    UNION ALL (SELECT key, count(*), max(seq) FROM beta GROUP BY ALL EXCEPT ALL SELECT key, events, seq FROM newest)`)
    assert.deepEqual(newestDifference, [], 'the keyed live model equals batch SQL')

    const visitsDifference = await server.sql(`
    WITH marked AS (SELECT producer, "at", CASE WHEN "at" - lag("at") OVER (PARTITION BY producer ORDER BY "at") < INTERVAL '20 milliseconds' THEN 0 ELSE 1 END AS new FROM beta),
    numbered AS (SELECT *, sum(new) OVER (PARTITION BY producer ORDER BY "at") AS n FROM marked),
    batch AS (SELECT producer, min("at") AS window_start, max("at") + INTERVAL '20 milliseconds' AS window_end, count(*) AS events FROM numbered GROUP BY producer, n),
    closed AS (SELECT max(window_end) AS until FROM visits)
    (SELECT * FROM batch WHERE window_end <= (SELECT until FROM closed) EXCEPT ALL SELECT producer, window_start, window_end, events FROM visits)
    UNION ALL (SELECT producer, window_start, window_end, events FROM visits EXCEPT ALL SELECT * FROM batch)`)
    assert.deepEqual(visitsDifference, [], 'sessions equal batch SQL')
    assert.ok(Number((await server.sql('SELECT count(*) FROM visits'))[0]![0]) > 0, 'sessions were closed')

    let rows: unknown[][] = []
    for (let tries = 0; tries < 100; tries++) {
      rows =
        await server.sql(`(SELECT key, events, total::DECIMAL(38, 0) FROM by_key EXCEPT ALL SELECT key, count(*), sum(amount)::DECIMAL(38, 0) FROM alpha GROUP BY ALL)
      UNION ALL (SELECT key, count(*), sum(amount)::DECIMAL(38, 0) FROM alpha GROUP BY ALL EXCEPT ALL SELECT key, events, total::DECIMAL(38, 0) FROM by_key)`)
      if (rows.length === 0) break
      await sleep(200)
    }
    assert.deepEqual(rows, [], 'the incremental model equals batch SQL')
    assert.equal(await server.stop(), 0)
  })
}

function checkExactlyOnce(topic: string, rows: readonly [string, number, string, number, number, number][], sent: readonly Sent[]): void {
  const seen = new Map<string, number>()
  for (const [producer, seq] of rows) seen.set(`${producer}/${seq}`, (seen.get(`${producer}/${seq}`) ?? 0) + 1)
  const lost = sent.filter((row) => !seen.has(`${row.producer}/${row.seq}`))
  const doubled = [...seen].filter(([, times]) => times > 1)
  assert.deepEqual(lost.slice(0, 5), [], `${topic}: ${lost.length} lost`)
  assert.deepEqual(doubled.slice(0, 5), [], `${topic}: ${doubled.length} doubled`)
  assert.equal(rows.length, sent.length, `${topic}: rows that nobody sent`)
  const lastOfKey = new Map<string, number>()
  for (const [producer, seq, key] of rows) {
    const slot = `${producer}/${key}`
    assert.ok(seq > (lastOfKey.get(slot) ?? -1), `${topic}: ${slot} goes back from ${lastOfKey.get(slot)} to ${seq}`)
    lastOfKey.set(slot, seq)
  }
  const offsets = new Map<number, number>()
  for (const [, , , , partition, offset] of rows) {
    const due = (offsets.get(partition) ?? -1) + 1
    // Timers by arrival put ticks between the rows of alpha.
    if (topic === 'alpha') assert.ok(offset >= due, `${topic}: offsets of partition ${partition} rise`)
    else assert.equal(offset, due, `${topic}: offsets of partition ${partition} have no gap`)
    offsets.set(partition, offset)
  }
}
