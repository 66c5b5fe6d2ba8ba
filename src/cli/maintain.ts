// `millrace maintain`: a pass of maintenance on the running server, now.
import type { MaintainedAnswer, MaintainedStep } from '../serve/admin/storage.ts'
import { type CommandOptions, dataOf } from './options.ts'
import { openOutput, paint } from './output.ts'
import { mustConnect } from './remote.ts'

export async function maintain(tables: string[], options: CommandOptions): Promise<number> {
  const output = openOutput(options)
  const remote = await mustConnect(dataOf(options))
  const done = (await remote.post('/admin/maintain', { tables })) as MaintainedAnswer
  output.data(done)
  if (done.steps.length === 0) output.line('nothing to do')
  for (const step of done.steps) output.line(lineOf(step))
  const sum = (of: (step: MaintainedStep) => number): number => done.steps.reduce((total, step) => total + of(step), 0)
  const files = sum((step) => step.filesBefore - step.filesAfter)
  const bytes = sum((step) => step.bytesBefore - step.bytesAfter)
  if (done.steps.length > 0) output.line(`saved ${files} files and ${printBytes(bytes)}; run ${done.run}`)
  return done.steps.some((step) => step.state === 'failed') ? 1 : 0
}

function lineOf({ name, state, note, error, filesBefore, filesAfter, bytesBefore, bytesAfter }: MaintainedStep): string {
  if (error) return `${paint('red', state)}  ${name}  ${error.code} ${error.message}${error.fix ? `\n  fix: ${error.fix}` : ''}`
  const saved = `${filesBefore} -> ${filesAfter} files, ${printBytes(bytesBefore)} -> ${printBytes(bytesAfter)}`
  return `${paint('green', state)}  ${name}  ${note}: ${saved}`
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const

function printBytes(bytes: number): string {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log10(Math.max(1, Math.abs(bytes))) / 3))
  const value = bytes / 1_000 ** power
  return `${power === 0 ? value : value.toFixed(1)} ${UNITS[power]}`
}
