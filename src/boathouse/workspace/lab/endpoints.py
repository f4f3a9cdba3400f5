"""What JupyterLab's process asks of the server in its users' names, and what the page asks of JupyterLab."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from boathouse.iam.api import CurrentPrincipal
from boathouse.workspace.lab.errors import INSTALL
from boathouse.workspace.lab.service import BASE, Lab, is_installed

router = APIRouter(prefix="/api/boathouse/v1/lab", tags=["lab"])


async def _lab(request: Request) -> Lab:
    return request.app.state.lab


TheLab = Annotated[Lab, Depends(_lab)]


class LabStatus(BaseModel):
    """Whether JupyterLab can be opened and where, and if not, how it is added."""

    installed: bool
    url: str
    install: str


class KernelBody(BaseModel):
    """A kernel that is to be started: of a notebook, or without a path of a console."""

    path: str | None = None
    language: Literal["python", "sql"] = "python"
    connection: dict[str, Any] | None = Field(default=None, description="How the kernel was spoken to whose place it takes.")


class KernelInfo(BaseModel):
    """A kernel: how it is spoken to, and how it has ended if it has."""

    kernel_id: str
    connection: dict[str, Any]
    exit_status: int | None


@router.get("")
def show_lab(_: CurrentPrincipal) -> LabStatus:
    """Whether JupyterLab is there; for everybody who is signed in."""
    return LabStatus(installed=is_installed(), url=f"{BASE}/lab", install=INSTALL)


@router.post("/kernels")
async def start_kernel(lab: TheLab, principal: CurrentPrincipal, body: KernelBody) -> KernelInfo:
    """Start a kernel of the asker's own; of a notebook that it may run."""
    kernel = await lab.kernels.start(principal, body.path, body.language, body.connection)
    return KernelInfo(kernel_id=kernel.id, connection=dict(kernel.connection.result()), exit_status=kernel.code)


@router.get("/kernels/{kernel_id}")
async def get_kernel(lab: TheLab, principal: CurrentPrincipal, kernel_id: str) -> dict[str, int | None]:
    """How a kernel of the asker's has ended; null while it runs."""
    return {"exit_status": lab.kernels.of(principal, kernel_id).code}


@router.post("/kernels/{kernel_id}/interrupt")
async def interrupt_kernel(lab: TheLab, principal: CurrentPrincipal, kernel_id: str) -> dict[str, Any]:
    """Interrupt a kernel of the asker's."""
    lab.kernels.interrupt(lab.kernels.of(principal, kernel_id))
    return {}


@router.delete("/kernels/{kernel_id}")
async def end_kernel(lab: TheLab, principal: CurrentPrincipal, kernel_id: str) -> dict[str, Any]:
    """End a kernel of the asker's."""
    await lab.kernels.end(lab.kernels.of(principal, kernel_id))
    return {}
