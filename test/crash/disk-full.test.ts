// A disk that fills up: ingest says so, readiness goes, nothing acknowledged is lost, and it goes on by itself when there is room
// again; also after `kill -9` on the full disk. The disk is a tmpfs of 48 MB, so this test needs root and `mount`.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { root, startServer, type TestServer } from '../server/server.ts'

const SIZE_MB = 48
const BATCH = 400
const CODES = ['MR_LOG_FULL', 'MR_DATA_FULL', 'MR_LOG_BUSY', 'MR_INGEST_PRESSURE', 'MR_LOG_IO']

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** The mount point, or the reason why there is none. */
function mountDisk(): { readonly path: string } | { readonly reason: string } {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return { reason: 'mounting a small disk needs root on Linux' }
  const path = mkdtempSync(join(tmpdir(), 'millrace-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE_MB}m`, 'tmpfs', path], { stdio: 'pipe' })
    return { path }
  } catch (error) {
    rmSync(path, { recursive: true })
    return { reason: `mount: ${(error as Error).message.split('\n')[0]}` }
  }
}

/** Takes what is left of the disk but `keepBytes`. */
function fill(path: string, keepBytes: number): void {
  const [free] = execFileSync('df', ['--output=avail', '-B1', path]).toString().trim().split('\n').slice(-1)
  writeFileSync(join(path, 'filler'), Buffer.alloc(Math.max(0, Number(free) - keepBytes)))
}

interface Sender {
  /** Sequence numbers that were acknowledged. */
  readonly acknowledged: Set<number>
  /** Answers other than 202: status and code. */
  readonly refusals: string[]
  /** Sends the batch that is due; true when it was taken. One that was not is sent again, with its key. */
  send(server: TestServer): Promise<boolean>
}

function makeSender(): Sender {
  let batch = 0
  const acknowledged = new Set<number>()
  const refusals: string[] = []
  return {
    acknowledged,
    refusals,
    async send(server) {
      const rows = Array.from({ length: BATCH }, (_, index) => {
        const seq = batch * BATCH + index
        const at = new Date(Date.UTC(2026, 0, 1) + seq).toISOString()
        return { producer: `full-${'x'.repeat(150)}`, seq, key: `k${seq % 16}`, amount: seq % 1_000, at }
      })
      const response = await server.post('/streams/alpha', rows.map((row) => `${JSON.stringify(row)}\n`).join(''), {
        'content-type': 'application/x-ndjson',
        'idempotency-key': `batch-${batch}`,
      })
      const text = await response.text()
      if (response.status === 202) {
        for (const { seq } of rows) acknowledged.add(seq)
        batch++
        return true
      }
      const { code, fix } = JSON.parse(text) as { code: string; fix?: string }
      assert.ok([507, 503, 429].includes(response.status), `${response.status} ${text}`)
      assert.ok(CODES.includes(code) && fix, text)
      refusals.push(`${response.status} ${code}`)
      return false
    },
  }
}

async function eventually(what: string, isSo: () => Promise<boolean>, limitMs = 20_000): Promise<void> {
  const endMs = performance.now() + limitMs
  while (!(await isSo())) {
    assert.ok(performance.now() < endMs, `${what} did not happen within ${limitMs} ms`)
    await sleep(100)
  }
}

const readiness = async (server: TestServer): Promise<number> => (await server.get('/ready')).status

/** Sends until the disk is full and the server says 507. */
async function sendUntilFull(sender: Sender, server: TestServer): Promise<void> {
  await eventually('507', async () => {
    for (let count = 0; count < 20; count++) if (!(await sender.send(server))) break
    return sender.refusals.at(-1)?.startsWith('507') ?? false
  })
}

/** Every acknowledged row is there, once. */
async function checkKept(sender: Sender, server: TestServer): Promise<void> {
  await eventually('all acknowledged rows are read', async () => {
    const [row] = await server.sql('SELECT count(*) FROM (SELECT seq FROM alpha UNION ALL SELECT seq FROM alpha__late)').catch(() => [[0]])
    return Number(row![0]) >= sender.acknowledged.size
  })
  const rows = await server.sql(
    'SELECT count(*), count(DISTINCT seq), CAST(min(seq) AS INTEGER), CAST(max(seq) AS INTEGER) FROM (SELECT seq FROM alpha UNION ALL SELECT seq FROM alpha__late)',
  )
  const size = sender.acknowledged.size
  assert.deepEqual(rows, [[size, size, 0, size - 1]])
}

test('a full disk: 507, not ready, nothing lost, and on again with room', { timeout: 120_000 }, async (t) => {
  const disk = mountDisk()
  if ('reason' in disk) return t.skip(disk.reason)
  const data = join(disk.path, 'data')
  const filler = join(disk.path, 'filler')
  const project = join(root, 'test', 'crash', 'project')
  const start = (): Promise<TestServer> => startServer({ project, data, env: { MILLRACE_FLUSH_MS: '500', MILLRACE_LOG: 'error' } })
  let server: TestServer | undefined
  t.after(async () => {
    await server?.kill('SIGKILL').catch(() => {})
    await sleep(100)
    execFileSync('umount', ['-l', disk.path])
    rmSync(disk.path, { recursive: true, force: true })
  })
  mkdirSync(data)
  server = await start()
  const sender = makeSender()
  for (let count = 0; count < 5; count++) assert.ok(await sender.send(server))

  fill(disk.path, 2 << 20)
  // A flush that failed gives its files back, and with room it is ready again: until that is used up too.
  const fillAndSeeNotReady = (): Promise<void> =>
    eventually('full and not ready', async () => {
      await sendUntilFull(sender, server!)
      return (await readiness(server!)) === 503
    })
  await fillAndSeeNotReady()
  assert.equal((await server.get('/health')).status, 200)
  await sleep(1_000)
  await fillAndSeeNotReady()
  const before = sender.acknowledged.size
  rmSync(filler)
  // Nobody sends: it must find the room by itself.
  await eventually('ready again', async () => (await readiness(server!)) === 200)
  for (let count = 0; count < 5; count++) await eventually('taken again', () => sender.send(server!))
  assert.equal(sender.acknowledged.size, before + 5 * BATCH)
  await checkKept(sender, server)
  await eventually('commits again', async () => {
    const [row] = await server!.sql("SELECT max(total_records) FROM millrace.snapshots WHERE relation = 'alpha'")
    const [late] = await server!.sql('SELECT count(*) FROM alpha__late')
    return Number(row![0]) + Number(late![0]) === sender.acknowledged.size
  })
  t.diagnostic(`${sender.acknowledged.size} rows; refusals: ${[...new Set(sender.refusals)].join(', ')}`)

  fill(disk.path, 1 << 20)
  await sendUntilFull(sender, server)
  await server.kill('SIGKILL')
  rmSync(filler)
  server = await start()
  assert.equal(await readiness(server), 200)
  for (let count = 0; count < 3; count++) assert.ok(await sender.send(server))
  await checkKept(sender, server)
  assert.equal(await server.stop(), 0, server.errors())
})
