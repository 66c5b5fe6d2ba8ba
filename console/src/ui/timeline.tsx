// The steps of a run on one axis of seconds: tries solid, waits between tries dashed with their length; a step that did
// not start says what it waits on. The chosen row's log is shown by the page.
import type { RunStep } from '../../../src/serve/answers/runs.ts'
import { formatCount, formatDuration } from './format.ts'
import { StateIcon, type Tone } from './state.tsx'

const TONES: Record<RunStep['state'], Tone> = { waiting: 'idle', running: 'run', done: 'ok', failed: 'bad', skipped: 'idle' }
const FILL: Record<RunStep['state'], string> = {
  waiting: 'var(--chart-3)',
  running: 'var(--accent)',
  done: 'var(--chart-1)',
  failed: 'var(--bad)',
  skipped: 'var(--chart-3)',
}

interface Axis {
  readonly startMs: number
  readonly lengthMs: number
}

/** Round steps of the axis, about five. */
export function axisTicks(lengthMs: number): readonly number[] {
  const rough = lengthMs / 5
  const power = 10 ** Math.floor(Math.log10(Math.max(1, rough)))
  const step = [1, 2, 5, 10].map((unit) => unit * power).find((size) => size >= rough) ?? rough
  return Array.from({ length: Math.floor(lengthMs / step) + 1 }, (_, index) => index * step).filter((tick) => tick < lengthMs * 0.96)
}

/** Seconds up to two minutes, so that neighbours differ. */
const axisText = (tick: number, lengthMs: number): string =>
  tick === 0
    ? '0 s'
    : lengthMs < 3000
      ? formatDuration(tick, 'fine')
      : lengthMs < 150_000
        ? `${formatCount(tick / 1000)} s`
        : formatDuration(tick)

function Track({ step, axis, nowMs }: { readonly step: RunStep; readonly axis: Axis; readonly nowMs: number }) {
  if (step.startedAtMs === null)
    return (
      <span className="s12 muted" style={{ position: 'absolute', left: 0, top: 6, whiteSpace: 'nowrap' }}>
        {step.waitsOn.length === 0 ? 'not started' : `not started, waits on ${step.waitsOn.join(', ')}`}
      </span>
    )
  const place = (from: number, to: number) => ({
    left: `${((from - axis.startMs) / axis.lengthMs) * 100}%`,
    width: `${(Math.max(0, to - from) / axis.lengthMs) * 100}%`,
  })
  const tries = step.tries.length > 0 ? step.tries : [{ startedAtMs: step.startedAtMs, endedAtMs: step.endedAtMs, error: null }]
  return (
    <>
      {tries.map((one, index) => {
        const end = one.endedAtMs ?? nowMs
        const next = tries[index + 1]
        return (
          <span key={one.startedAtMs}>
            <span
              className="sg"
              style={{ ...place(one.startedAtMs, end), background: one.error === null ? FILL[step.state] : 'var(--bad)' }}
              title={one.error ?? formatDuration(end - one.startedAtMs, 'measured')}
            />
            {next === undefined ? null : (
              <span className="sg wt" style={place(end, next.startedAtMs)} title="wait before the next try">
                {formatDuration(next.startedAtMs - end, 'short')}
              </span>
            )}
          </span>
        )
      })}
    </>
  )
}

function stepTime(step: RunStep, nowMs: number): string {
  if (step.state === 'failed' || step.state === 'skipped' || step.state === 'waiting') return step.state
  return step.startedAtMs === null ? '' : formatDuration((step.endedAtMs ?? nowMs) - step.startedAtMs, 'measured')
}

export function Timeline({
  steps,
  nowMs,
  chosen,
  onChoose,
}: {
  readonly steps: readonly RunStep[]
  readonly nowMs: number
  readonly chosen: string | null
  readonly onChoose: (name: string) => void
}) {
  const started = steps.flatMap((step) => (step.startedAtMs === null ? [] : [step.startedAtMs]))
  const ended = steps.flatMap((step) => (step.startedAtMs === null ? [] : [step.endedAtMs ?? nowMs]))
  const startMs = Math.min(...started, nowMs)
  const axis = { startMs, lengthMs: Math.max(1, Math.max(...ended, startMs + 1) - startMs) * 1.03 }
  return (
    <>
      <div className="tlr hide-m" style={{ height: 26, color: 'var(--text-3)', fontSize: 12 }} aria-hidden="true">
        <span>Step</span>
        <span className="ax num">
          {axisTicks(axis.lengthMs).map((tick) => (
            <span key={tick} style={{ left: `${(tick / axis.lengthMs) * 100}%` }}>
              {axisText(tick, axis.lengthMs)}
            </span>
          ))}
        </span>
        <span className="r">Rows</span>
        <span className="r">Time</span>
      </div>
      {steps.map((step) => (
        <button type="button" className="tlr" key={step.name} aria-pressed={step.name === chosen} onClick={() => onChoose(step.name)}>
          <span className="row col">
            <StateIcon tone={TONES[step.state]} word={step.state} />
            <span className="m5 cut lead">{step.name}</span>
            <span className="s12 muted cut hide-m">{step.tries.length > 1 ? `${step.tries.length} tries` : step.note}</span>
          </span>
          <span className="trk hide-m">
            <Track step={step} axis={axis} nowMs={nowMs} />
          </span>
          <span className="r num hide-m">{step.rows === null ? '' : formatCount(step.rows)}</span>
          <span
            className={`r num ${step.state === 'failed' ? 'c-bad m5' : step.state === 'done' || step.state === 'running' ? '' : 'muted'}`}
          >
            {stepTime(step, nowMs)}
          </span>
        </button>
      ))}
    </>
  )
}
