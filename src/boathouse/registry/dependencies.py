"""The registry of a request."""

from typing import Annotated

from fastapi import Depends, Request

from boathouse.iam.api import CurrentPrincipal
from boathouse.registry.reviews import ModelReviews
from boathouse.registry.service import ModelRegistry


async def _registry(request: Request, principal: CurrentPrincipal) -> ModelRegistry:
    return ModelRegistry(request.app.state.mlflow, principal)


async def _reviews(request: Request, principal: CurrentPrincipal) -> ModelReviews:
    return ModelReviews(request.app.state.mlflow, principal)


Registry = Annotated[ModelRegistry, Depends(_registry)]
Reviews = Annotated[ModelReviews, Depends(_reviews)]
