"""The addresses of the keep."""

from backups_app.api.views.backups import BackupViewSet, RestoreViewSet
from backups_app.api.views.imports import ImportFindingViewSet, ImportOriginViewSet, ImportRunViewSet
from config.shared.api.routers import NUMBER, LedgerRouter

router = LedgerRouter()
router.register(rf"import-runs/(?P<run_id>{NUMBER})/findings", ImportFindingViewSet, basename="import-finding")
router.register("import-runs", ImportRunViewSet, basename="import-run")
router.register("import-origins", ImportOriginViewSet, basename="import-origin")
router.register("backups", BackupViewSet, basename="backup")
router.register("restores", RestoreViewSet, basename="restore")

urlpatterns = router.urls
