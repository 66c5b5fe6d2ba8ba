// The log's contract, in this thread and in one of its own.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { systemClock } from '../../src/core/clock.ts'
import { nodeDisk } from '../../src/core/disk.ts'
import { systemRandom } from '../../src/core/random.ts'
import { openEmbeddedLog } from '../../src/log/embedded.ts'
import type { Log } from '../../src/log/log.ts'
import { openThreadedLog } from '../../src/log/thread/threaded-log.ts'
import { openKeyRing } from '../../src/objects/seal/key-ring.ts'
import { newMasterKeyLine, parseMasterKeys } from '../../src/objects/seal/master-key.ts'
import { contract, type OpenLog, type Run } from './logs.ts'

const on =
  (open: (options: OpenLog) => Promise<Log>): Run =>
  (name, body) =>
    test(name, async () => {
      const root = mkdtempSync(join(tmpdir(), 'millrace-log-'))
      const directory = join(root, 'log')
      const opened: Log[] = []
      let rings = 0
      try {
        await body({
          directory,
          async open(options = {}) {
            const log = await open({ directory, ...options })
            opened.push(log)
            return log
          },
          keys: () =>
            openKeyRing({
              disk: nodeDisk,
              clock: systemClock,
              random: systemRandom,
              path: join(root, `keys-${rings++}.json`),
              masters: parseMasterKeys(newMasterKeyLine('m', systemRandom), 'test', systemRandom),
            }),
        })
      } finally {
        for (const log of opened) await log.close()
        rmSync(root, { recursive: true })
      }
    })

describe('the embedded log', () => contract(on((options) => openEmbeddedLog({ disk: nodeDisk, clock: systemClock, ...options }))))
describe('the log in a thread of its own', () => contract(on(openThreadedLog)))
