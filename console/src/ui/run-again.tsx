// A button that starts a run and then links to it: load or refresh, run the checks, resume. Says what went wrong beside it.
import { useMutation } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import type { RunRequest, RunStarted } from '../../../src/serve/answers/runs.ts'
import { postJson } from '../api/client.ts'
import { queryClient } from '../api/queries.ts'
import { Icon } from './icon.tsx'

export interface RunAgainProps {
  readonly label: string
  readonly assets?: readonly string[]
  readonly checks?: readonly string[]
  /** Resumes this run instead. */
  readonly resume?: string
  readonly ghost?: boolean
  readonly primary?: boolean
  readonly icon?: boolean
  readonly className?: string
}

/** Answers that a run or its checks change. */
const CHANGED = ['runs', 'run', 'overview', 'relation']

export function RunAgain({ label, assets, checks, resume, ghost = false, primary = false, icon = false, className = '' }: RunAgainProps) {
  const start = useMutation({
    mutationFn: (): Promise<RunStarted> => {
      const body: RunRequest = { ...(assets ? { assets } : {}), ...(checks ? { checks } : {}) }
      return resume === undefined ? postJson('/admin/runs', body) : postJson(`/admin/runs/${encodeURIComponent(resume)}/resume`, {})
    },
    onSuccess: () => void queryClient.invalidateQueries({ predicate: (query) => CHANGED.includes(String(query.queryKey[0])) }),
  })
  const id = start.data?.id ?? null
  if (id !== null)
    return (
      <Link className={`btn sm ${className}`} to="/runs/$id" params={{ id }}>
        Run {id}
      </Link>
    )
  return (
    <>
      <button
        type="button"
        className={`btn sm ${ghost ? 'ghost' : ''} ${primary ? 'pri' : ''} ${className}`}
        disabled={start.isPending}
        onClick={() => start.mutate()}
        title={start.error?.message}
      >
        {icon ? <Icon name="play" size={13} /> : null}
        {label}
      </button>
      {start.error === null ? null : (
        <span className="s12 c-bad cut" role="alert">
          {start.error.message}
        </span>
      )}
    </>
  )
}
