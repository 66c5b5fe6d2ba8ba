// A state is an icon and a word, never a colour alone (DESIGN section 4). As a pill only once a page, beside the title.
import type { ReactNode } from 'react'
import { Icon, type IconName } from './icon.tsx'

export type Tone = 'ok' | 'warn' | 'bad' | 'idle' | 'run'

export interface StateWords {
  readonly tone: Tone
  /** The word of small screens. */
  readonly word: string
  /** What wide screens add: the reason. */
  readonly more?: string
}

export function State({
  tone,
  children,
  pill = false,
  size,
}: {
  readonly tone: Tone
  readonly children: ReactNode
  readonly pill?: boolean
  readonly size?: number
}) {
  return (
    <span className={pill ? `pill ${tone}` : `st ${tone}`}>
      <Icon name={tone as IconName} size={size ?? (pill ? 12 : 14)} />
      <span>{children}</span>
    </span>
  )
}

export function Words({ words, pill = false }: { readonly words: StateWords; readonly pill?: boolean }) {
  return (
    <State tone={words.tone} pill={pill}>
      {words.word}
      {words.more === undefined ? null : <span className={pill ? undefined : 'hide-m'}>{words.more}</span>}
    </State>
  )
}

/** The icon alone with its word for screen readers: rows of a list whose text says the rest. */
export function StateIcon({ tone, word, size = 14 }: { readonly tone: Tone; readonly word: string; readonly size?: number }) {
  return (
    <span className={`st ${tone}`} title={word}>
      <Icon name={tone as IconName} size={size} />
      <span className="sr">{word}</span>
    </span>
  )
}
