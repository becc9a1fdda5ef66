/** Text that quotes what others wrote (a comment of a firewall rule, a login, a reason): a terminal must not obey it. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}]/gu, '?');
}
