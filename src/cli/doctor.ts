// `millrace doctor`: looks at the machine, the data directory, the project, its keys and, of a running server, the stored tables,
// and says what to mend.
import { existsSync, statfsSync } from 'node:fs'
import { availableParallelism, totalmem } from 'node:os'
import { asMillraceError } from '../core/errors.ts'
import { encryptedRelations } from '../define/encrypted.ts'
import type { Advice } from '../orchestrate/storage-advice.ts'
import { diagnoseKeys } from '../runtime/diagnose-keys.ts'
import { compileProject } from '../runtime/start-project.ts'
import { type CommandOptions, dataOf, projectOf } from './options.ts'
import { openOutput, paint } from './output.ts'
import { connect } from './remote.ts'

interface Diagnosis {
  readonly subject: string
  readonly state: 'ok' | 'warn' | 'bad'
  readonly detail: string
  readonly fix?: string
}

const GB = 1e9

export async function doctor(_: string[], options: CommandOptions): Promise<number> {
  const output = openOutput(options)
  const data = dataOf(options)
  const all = [
    nodeVersion(),
    memory(),
    disk(existsSync(data) ? data : projectOf(options)),
    pool(),
    await project(options),
    ...(await keys(options)),
    await server(data),
    ...(await storage(data)),
  ]
  output.data(all)
  for (const { subject, state, detail, fix } of all) {
    output.line(
      `${paint(state === 'ok' ? 'green' : state === 'warn' ? 'yellow' : 'red', state.padEnd(4))}  ${subject}: ${detail}${fix ? `\n      fix: ${fix}` : ''}`,
    )
  }
  return all.some((diagnosis) => diagnosis.state === 'bad') ? 1 : 0
}

function nodeVersion(): Diagnosis {
  const isNew = Number(process.versions.node.split('.')[0]) >= 24
  return { subject: 'Node', state: isNew ? 'ok' : 'bad', detail: process.version, ...(isNew ? {} : { fix: 'install Node 24 or newer' }) }
}

function memory(): Diagnosis {
  const total = totalmem()
  const isEnough = total >= 2 * GB
  return {
    subject: 'machine',
    state: isEnough ? 'ok' : 'warn',
    detail: `${availableParallelism()} cores, ${(total / GB).toFixed(1)} GB of memory`,
    ...(isEnough ? {} : { fix: 'set MILLRACE_MEMORY_BYTES below what is free' }),
  }
}

function disk(path: string): Diagnosis {
  const { bavail, bsize } = statfsSync(path)
  const free = bavail * bsize
  const state = free > 5 * GB ? 'ok' : free > GB ? 'warn' : 'bad'
  return {
    subject: 'disk',
    state,
    detail: `${(free / GB).toFixed(1)} GB free at ${path}`,
    ...(state === 'ok' ? {} : { fix: 'free space: ingest answers 507 when it ends' }),
  }
}

function pool(): Diagnosis {
  const size = Number(process.env['UV_THREADPOOL_SIZE'] ?? 4)
  return {
    subject: 'thread pool',
    state: size >= 12 ? 'ok' : 'warn',
    detail: `${size} threads`,
    ...(size >= 12 ? {} : { fix: 'set UV_THREADPOOL_SIZE=16: each running query holds one' }),
  }
}

async function project(options: CommandOptions): Promise<Diagnosis> {
  try {
    const { manifest, findings, ok } = await compileProject(projectOf(options))
    const errors = findings.filter((finding) => finding.severity === 'error').length
    return {
      subject: 'project',
      state: ok ? (findings.length > 0 ? 'warn' : 'ok') : 'bad',
      detail: `${manifest.project}: ${manifest.relations.length} relations, ${errors} errors, ${findings.length - errors} warnings`,
      ...(findings.length > 0 ? { fix: 'see `millrace check`' } : {}),
    }
  } catch (cause) {
    const error = asMillraceError(cause)
    return { subject: 'project', state: 'bad', detail: error.message, ...(error.fix ? { fix: error.fix } : {}) }
  }
}

/** Nothing where nothing is encrypted. */
async function keys(options: CommandOptions): Promise<Diagnosis[]> {
  const encrypted = await compileProject(projectOf(options)).then(
    ({ manifest }) => encryptedRelations(manifest),
    () => new Set<string>(),
  )
  const found = await diagnoseKeys(dataOf(options), encrypted, process.env)
  return found ? [{ subject: 'encryption', ...found }] : []
}

async function server(data: string): Promise<Diagnosis> {
  const remote = await connect(data)
  if (!remote) return { subject: 'server', state: 'warn', detail: `none runs on ${data}`, fix: 'start one with `millrace dev`' }
  const ready = await fetch(`${remote.url}/ready`)
  return {
    subject: 'server',
    state: ready.ok ? 'ok' : 'bad',
    detail: `${remote.url} answers ${ready.status}`,
    ...(ready.ok ? {} : { fix: 'look at its log' }),
  }
}

/** Tables that grow slow; known to a running server only. */
async function storage(data: string): Promise<Diagnosis[]> {
  const remote = await connect(data)
  if (!remote) return []
  try {
    const { advice } = (await remote.get('/admin/advice')) as { advice: readonly Advice[] }
    if (advice.length === 0) return [{ subject: 'tables', state: 'ok', detail: 'files and histories are of a healthy size' }]
    return advice.map(({ table, detail, fix }): Diagnosis => ({ subject: table, state: 'warn', detail, fix }))
  } catch (cause) {
    const error = asMillraceError(cause)
    return [{ subject: 'tables', state: 'bad', detail: error.message, ...(error.fix ? { fix: error.fix } : {}) }]
  }
}
