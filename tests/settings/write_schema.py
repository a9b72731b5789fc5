"""Write the JSON schema that editors read: `python -m tests.settings.write_schema`."""

import json
from pathlib import Path

from monitor.notify import KINDS
from monitor.settings import schema

if __name__ == "__main__":
    target = Path(__file__).parents[2] / "config" / "thongsuot.schema.json"
    target.write_text(json.dumps(schema(KINDS), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
