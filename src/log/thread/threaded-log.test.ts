// What the contract (`test/contract/logs.ts`) does not say of a log in a thread of its own: the process does not outlive it.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openThreadedLog } from './threaded-log.ts'

test('a process whose log has ended ends, and what was acknowledged is there after the restart', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'millrace-log-'))
  t.after(() => rmSync(root, { recursive: true }))
  const directory = join(root, 'log')
  const module = new URL('./threaded-log.ts', import.meta.url).href
  const program = join(root, 'program.mjs')
  writeFileSync(
    program,
    `
    import { beginLogThread, openThreadedLog } from ${JSON.stringify(module)}
    const worker = beginLogThread()
    const log = await openThreadedLog({ directory: ${JSON.stringify(directory)} }, worker)
    await log.ensureTopic('clicks', 1)
    await log.append('clicks', [{ partition: 0, kind: 'rows', payload: Buffer.from('{"n":1}\\n'), count: 1, fingerprint: 'f' }])
    setInterval(() => {}, 1_000)
    void worker.terminate()`,
  )
  const { status, stderr } = spawnSync(process.execPath, [program], { encoding: 'utf8', timeout: 30_000 })
  assert.ok(status !== null && status !== 0, `it ended with ${status}`)
  assert.match(stderr, /MR_LOG_IO|the log's thread has ended/)
  const log = await openThreadedLog({ directory })
  try {
    const [batch] = await log.read('clicks', 0, 0, 1 << 20)
    assert.equal(Buffer.from(batch!.payload).toString(), '{"n":1}\n')
  } finally {
    await log.close()
  }
})
