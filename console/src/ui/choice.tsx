// Choosing one of few: side by side (Segments) or behind a field (FieldMenu, Mantine's menu). Both say what is chosen.
import { Menu } from '@mantine/core'
import { Icon, type IconName } from './icon.tsx'

export interface Option<T extends string> {
  readonly value: T
  readonly label: string
}

export function Segments<T extends string>({
  label,
  options,
  value,
  onChange,
  wide = false,
}: {
  readonly label: string
  readonly options: readonly Option<T>[]
  readonly value: T
  readonly onChange: (value: T) => void
  readonly wide?: boolean
}) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset would bring its own box; the group is a row of toggle buttons
    <div className={wide ? 'seg hide-m' : 'seg'} role="group" aria-label={label}>
      {options.map((option) => (
        <button type="button" key={option.value} aria-pressed={option.value === value} onClick={() => onChange(option.value)}>
          {option.label}
        </button>
      ))}
    </div>
  )
}

export function FieldMenu<T extends string>({
  label,
  options,
  value,
  onChange,
  icon,
  wide = false,
}: {
  readonly label: string
  readonly options: readonly Option<T>[]
  readonly value: T
  readonly onChange: (value: T) => void
  readonly icon?: IconName
  /** Not on small screens. */
  readonly wide?: boolean
}) {
  const chosen = options.find((option) => option.value === value)
  return (
    <Menu position="bottom-start" shadow="none" transitionProps={{ duration: 0 }} returnFocus>
      <Menu.Target>
        <button type="button" className={wide ? 'field hide-m' : 'field'}>
          {icon === undefined ? null : <Icon name={icon} size={13} />}
          {label} <b>{chosen?.label ?? value}</b>
        </button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.RadioGroup value={value} onChange={(next) => onChange(next as T)}>
          {options.map((option) => (
            <Menu.RadioItem key={option.value} value={option.value} closeMenuOnClick>
              {option.label}
            </Menu.RadioItem>
          ))}
        </Menu.RadioGroup>
      </Menu.Dropdown>
    </Menu>
  )
}
