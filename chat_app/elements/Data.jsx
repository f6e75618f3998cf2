import { useEffect, useRef } from "react"

export default function Data() {
  const host = useRef(null)
  useEffect(() => window.modelwright.mount(host.current, "Data", props, { message: sendUserMessage }), [])
  return <div ref={host} />
}
